"""The first lines of a cassette: its version, the transport, and the framing that cut its messages. No I/O."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, ClassVar

from windsock.errors import UsageError
from windsock.recording import Delimiter, FixedSize, Framing, LengthPrefix, Lines, UntilEof, framing_from, is_framed
from windsock.recording.protocol_framing import ProtocolFraming

__all__ = ["FIRST", "VERSION", "Header"]

VERSION = 1
TRANSPORTS = ("tcp", "udp", "unix_stream", "unix_datagram")
FIRST = "windsock cassette "
"""What the first line begins with; the version follows."""
CUSTOM = "function "
"""The framing of a cassette whose framing is a function of the test's author, by its name."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is true of the whole cassette. `framing` is its framing in words."""

    EXPECTED: ClassVar[str] = f"expected 'transport: ' with one of {', '.join(TRANSPORTS)}, or 'framing: ...'"

    transport: str
    framing: str = "none"

    @classmethod
    def of(cls, transport: str, framing: Framing | None) -> Header:
        """Return the header for a framing."""
        return cls(transport, _words(framing))

    def lines(self) -> list[str]:
        """Return the lines as a cassette begins, with an empty one at the end."""
        return [f"{FIRST}{VERSION}", f"transport: {self.transport}", f"framing: {self.framing}", ""]

    def with_value(self, name: str, value: str) -> Header:
        """Return the header with the value of a further line. Raises ValueError for anything else."""
        if name == "transport" and value in TRANSPORTS:
            return Header(value, self.framing)
        if name == "framing":
            return Header(self.transport, value)
        raise ValueError(name)

    @property
    def is_datagram(self) -> bool:
        """Return whether messages are datagrams."""
        return self.transport in ("udp", "unix_datagram")

    @property
    def needs_framing(self) -> bool:
        """Return whether the framing is a function, which a cassette can only name."""
        return self.framing.startswith(CUSTOM)

    def framing_value(self) -> Framing | None:
        """Return the framing. Raises UsageError for one that is not known, and for a function."""
        words = self.framing
        if words == "none":
            return None
        if self.needs_framing:
            raise UsageError(f"it was recorded with framing={words.removeprefix(CUSTOM)}; pass framing= to replay it")
        return framing_from(_value(words))


def _words(framing: Framing | None) -> str:
    if framing is None or not is_framed(framing):
        return "none"
    if isinstance(framing, Lines):
        return "lines"
    if isinstance(framing, UntilEof):
        return "eof"
    if isinstance(framing, Delimiter):
        return repr(framing.delimiter)
    if isinstance(framing, FixedSize):
        return str(framing.size)
    if isinstance(framing, ProtocolFraming) and framing.protocol.name:
        return framing.protocol.name
    if isinstance(framing, LengthPrefix):
        return repr(framing)
    return CUSTOM + getattr(framing, "__name__", type(framing).__name__)


def _value(words: str) -> Any:
    """Return what `framing_from` takes."""
    if words.startswith("LengthPrefix("):
        return _length_prefix(words)
    try:
        return ast.literal_eval(words)
    except (ValueError, SyntaxError):
        return words


def _length_prefix(words: str) -> LengthPrefix:
    try:
        call: Any = ast.parse(words, mode="eval").body
        return LengthPrefix(**{each.arg: ast.literal_eval(each.value) for each in call.keywords})
    except (ValueError, SyntaxError, TypeError, AttributeError) as error:
        raise UsageError(f"framing: {words!r} is no LengthPrefix: {error}") from None
