"""Templates: bytes with places for the named groups of regular expressions. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from windsock.errors import UsageError
from windsock.scripts.conversation import Conversation

__all__ = ["Template"]


@dataclass(frozen=True, slots=True, repr=False)
class Template:
    """Bytes in which `%(name)s` stands for what the group `(?P<name>...)` of a regular expression has matched.

    The syntax is that of Python's `%` for bytes: `%%` is a percent sign. The groups are those of the whole
    conversation, the latest value of each. Raises UsageError for anything that `%` does not accept.
    """

    data: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.data, bytes):
            raise UsageError(f"Template({self.data!r}): expected bytes, as in Template(b'+OK %(id)s\\r\\n')")
        try:
            self.data % _Anything()
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self!r}: {error}; expected %(name)s for a group, and %% for a percent sign") from None

    def __repr__(self) -> str:
        return f"Template({self.data!r})"

    def filled(self, where: str, conversation: Conversation) -> bytes:
        """Return the bytes with the groups. Raises UsageError for a group that has not matched."""
        groups = conversation.groups
        try:
            return self.data % {name.encode(): data for name, data in groups.items()}
        except KeyError as error:
            name = error.args[0].decode(errors="replace")
            known = ", ".join(groups) or "none"
            raise UsageError(f"{where}: no group {name!r} has matched on this connection; known: {known}") from None


class _Anything(dict[bytes, bytes]):
    """A mapping with every name."""

    def __missing__(self, name: bytes) -> bytes:
        return b""
