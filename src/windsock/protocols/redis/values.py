"""Commands and replies of redis as values. Their encoding is that of RESP2, or of RESP3 where it has the type alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError

__all__ = ["Command", "RedisReply", "code", "encoded", "text_of"]

NAMES = {
    "+": "simple", "-": "error", ":": "integer", "$": "bulk", "!": "bulk_error", "#": "boolean", ",": "double",
    "(": "big_number", "*": "array", "~": "set", ">": "push", "%": "map", "|": "attributes", "=": "verbatim",
}  # fmt: skip
"""The functions that make replies, by the byte that a reply begins with."""
NIL = {"$": b"$-1\r\n", "*": b"*-1\r\n", "_": b"_\r\n"}
SHOWN = 32
"""The bytes of a string that a line shows..."""
MOST = 8
"""...and the elements."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Command:
    """A command, in the form in which clients send it: `Command("SET", "k", b"v")`. Numbers and str are encoded."""

    words: tuple[bytes, ...]
    """The name and the arguments."""

    def __init__(self, *words: bytes | str | float) -> None:
        object.__setattr__(self, "words", tuple(map(encoded, words)))

    @property
    def name(self) -> str:
        """The name, in upper case; "" of a command without a word."""
        return text_of(self.words[0]).upper() if self.words else ""

    @property
    def args(self) -> tuple[bytes, ...]:
        """The arguments."""
        return self.words[1:]

    def __bytes__(self) -> bytes:
        parts = [b"*%d\r\n" % len(self.words)]
        parts += [b"$%d\r\n%b\r\n" % (len(each), each) for each in self.words]
        return b"".join(parts)

    def __str__(self) -> str:
        return " ".join(_word(each) for each in self.words)

    def __repr__(self) -> str:
        return f"redis.Command({', '.join(map(code, self.words))})"


@dataclass(frozen=True, slots=True, repr=False)
class RedisReply:
    """A reply, or a message that a server pushes: see `redis.bulk()` and the others, which make them.

    `kind` is the byte that it begins with, `value` what it holds: str, bytes, int, float, bool or None; of an array, a
    set or a push a tuple of replies; of a map pairs of them; of attributes these pairs and the reply behind them.
    """

    kind: str
    value: Any = None

    @property
    def plain(self) -> Any:
        """The value as a client of Python gets it: lists, dicts, bytes; a set is a list, too."""
        if self.kind in "*~>" and self.value is not None:
            return [each.plain for each in self.value]
        if self.kind == "%":
            return {_key(key.plain): value.plain for key, value in self.value}
        if self.kind == "|":
            return self.value[1].plain
        return self.value[1] if self.kind == "=" else self.value

    @property
    def is_error(self) -> bool:
        """Whether it is an error."""
        return self.kind in "-!"

    def __bytes__(self) -> bytes:
        kind, value = self.kind, self.value
        if value is None:
            return NIL[kind]
        if kind in "$!":
            return b"%b%d\r\n%b\r\n" % (kind.encode(), len(value), value)
        if kind in "*~>":
            return b"%b%d\r\n%b" % (kind.encode(), len(value), b"".join(map(bytes, value)))
        if kind == "%":
            return b"%%%d\r\n%b" % (len(value), _pairs(value))
        if kind == "|":
            return b"|%d\r\n%b%b" % (len(value[0]), _pairs(value[0]), bytes(value[1]))
        if kind == "=":
            return b"=%d\r\n%b:%b\r\n" % (len(value[1]) + 4, value[0].encode(), value[1])
        return b"%b%b\r\n" % (kind.encode(), _line(kind, value))

    def __str__(self) -> str:
        kind, value = self.kind, self.value
        if value is None:
            return "nil"
        if kind in "-!":
            return f"error {value if kind == '-' else _word(value)}"
        if kind in "*~>":
            return f"{'push ' if kind == '>' else ''}[{_listed(map(str, value[:MOST]), len(value))}]"
        if kind == "%":
            return f"{{{_listed((f'{key}: {each}' for key, each in value[:MOST]), len(value))}}}"
        if kind == "|":
            return f"{value[1]} with {len(value[0])} attribute{'' if len(value[0]) == 1 else 's'}"
        if kind in "$=":
            return _word(value if kind == "$" else value[1])
        return str(value)

    def __repr__(self) -> str:
        return _code_of(self)


def encoded(word: object) -> bytes:
    """Return a word of a command as bytes. Raises UsageError for what redis has no words for."""
    if isinstance(word, bytes | bytearray | memoryview):
        return bytes(word)
    if isinstance(word, str):
        return word.encode("utf-8", "surrogateescape")
    if isinstance(word, int | float) and not isinstance(word, bool):
        return repr(word).encode()
    raise UsageError(f"redis: {word!r} is no word of a command; expected str, bytes or a number")


def text_of(data: bytes) -> str:
    """Return bytes as text, without loss."""
    return data.decode("utf-8", "surrogateescape")


def code(word: bytes) -> str:
    """Return the code of a word: a str if it is readable ASCII."""
    text = word.decode("latin-1")
    return repr(text) if word.isascii() and text.isprintable() else repr(word)


def _word(data: bytes) -> str:
    """Return a word as redis-cli takes it, shortened."""
    if len(data) > SHOWN:
        return f"{data[:SHOWN]!r}... ({len(data)} B)"
    text = text_of(data)
    return text if text and text.isprintable() and " " not in text and "'" not in text else repr(data)


def _code_of(reply: RedisReply) -> str:
    """Return the code that makes a reply."""
    kind, value = reply.kind, reply.value
    if value is None:
        return {"$": "redis.nil()", "*": "redis.nil_array()", "_": "redis.null()"}[kind]
    if (kind, value) == ("+", "OK"):
        return "redis.ok()"
    if kind in "*~>":
        values = ", ".join(_element(each) for each in value)
    elif kind == "%":
        values = _pairs_code(value)
    elif kind == "|":
        values = f"{_pairs_code(value[0])}, {_element(value[1])}"
    elif kind == "=":
        values = f"{value[0]!r}, {value[1]!r}"
    else:
        values = f"float({str(value)!r})" if value != value or value in (float("inf"), -float("inf")) else repr(value)
    return f"redis.{NAMES[kind]}({values})"


def _element(reply: RedisReply) -> str:
    """Return the shortest code that makes an element."""
    kind, value = reply.kind, reply.value
    if kind == "*" and value is not None:
        return f"[{', '.join(_element(each) for each in value)}]"
    if kind in "$:" or (kind == "#" and value is not None):
        return repr(value)
    return _code_of(reply)


def _pairs_code(pairs: Iterable[tuple[RedisReply, RedisReply]]) -> str:
    return f"[{', '.join(f'({_element(key)}, {_element(value)})' for key, value in pairs)}]"


def _listed(words: Iterable[str], count: int) -> str:
    more = f", ... ({count} in all)" if count > MOST else ""
    return ", ".join(words) + more


def _line(kind: str, value: Any) -> bytes:
    if kind == "#":
        return b"t" if value else b"f"
    if kind == "," and math.isfinite(value):
        return repr(value).removesuffix(".0").encode()
    return str(value).encode("utf-8", "surrogateescape")


def _pairs(pairs: Iterable[tuple[RedisReply, RedisReply]]) -> bytes:
    return b"".join(bytes(key) + bytes(value) for key, value in pairs)


def _key(plain: Any) -> Any:
    """Return a key of a map in a form that can be hashed."""
    return tuple(map(_key, plain)) if isinstance(plain, list) else repr(plain) if isinstance(plain, dict) else plain
