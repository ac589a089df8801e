"""Header fields of HTTP: names in any case, in their order, with what repeats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from windsock.errors import UsageError

__all__ = ["Headers", "HeadersLike", "as_headers"]


class Headers(Mapping[str, str]):
    """Fields in their order: `headers["host"]`, in any case. The values of a name that repeats are joined by ", ".

    `all("set-cookie")` has them one by one, `fields` the names as they were sent. Never changed.
    """

    __slots__ = ("fields",)
    fields: tuple[tuple[str, str], ...]

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.fields = tuple(fields)

    def all(self, name: str) -> list[str]:
        """Return the values of a name, [] if there are none."""
        wanted = name.lower()
        return [value for each, value in self.fields if each.lower() == wanted]

    def words(self, name: str) -> set[str]:
        """Return the words of a list between commas, in lower case: those of Connection, say."""
        return {each.strip().lower() for value in self.all(name) for each in value.split(",")}

    def __getitem__(self, name: str) -> str:
        if not (found := self.all(name)):
            raise KeyError(name)
        return ", ".join(found)

    def __iter__(self) -> Iterator[str]:
        return iter({each.lower(): each for each, _ in reversed(self.fields)}[name] for name in self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __eq__(self, other: object) -> bool:
        return self.fields == other.fields if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        return repr(dict(self.fields) if len(self) == len(self.fields) else list(self.fields))

    def __bytes__(self) -> bytes:
        return "".join(f"{name}: {value}\r\n" for name, value in self.fields).encode("latin-1")

    def _names(self) -> dict[str, None]:
        return dict.fromkeys(each.lower() for each, _ in self.fields)


HeadersLike: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]]


def as_headers(where: str, given: Any) -> Headers:
    """Return header fields of a dict or of pairs. Raises UsageError for what can't be sent as such."""
    if isinstance(given, Headers):
        return given
    try:
        fields = tuple((name, value) for name, value in (given.items() if isinstance(given, Mapping) else given))
    except (TypeError, ValueError):
        raise UsageError(f"{where}: headers={given!r}; expected a dict, or pairs of names and values") from None
    for name, value in fields:
        _check(where, name)
        _check(where, value)
    return Headers(fields)


def _check(where: str, text: Any) -> None:
    if not isinstance(text, str) or any(each in text for each in "\r\n") or any(ord(each) > 255 for each in text):
        raise UsageError(f"{where}: {text!r} in headers; expected str of latin-1 without line ends")
