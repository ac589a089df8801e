r"""The lines of a cassette as values, and their text: `+0.012 1 > PING\r\n`. No I/O."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from windsock.cassettes.escapes import bytes_from, text_of
from windsock.redaction.rules import Span

__all__ = ["CassetteLine", "Message", "What", "checked", "line_from", "line_text"]


class What(enum.StrEnum):
    """What a line of a cassette says of its connection."""

    OPENED = "opened"
    REQUEST = ">"
    """The client sent the message of the line."""
    REPLY = "<"
    """The server sent the message of the line."""
    CLIENT_EOF = "client eof"
    """The client ended its stream: it half-closed or closed the connection."""
    SERVER_EOF = "server eof"
    CLIENT_RESET = "client reset"
    SERVER_RESET = "server reset"
    """The server reset the connection; over datagrams, it was not there."""
    REFUSED = "refused"
    """The server could not be connected to."""
    TLS = "tls"
    """What a TLS handshake agreed on; what follows was encrypted."""
    SILENCE = "silence"
    """Nothing more came until the end of the recording, and the connection stayed open."""


@dataclass(frozen=True, slots=True)
class Message:
    """The bytes of a message, with masks where secrets were; `secrets` says where."""

    data: bytes
    secrets: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class CassetteLine:
    """One line: `after` is in seconds since the line before it of the same connection.

    For the first line of a connection it is since the beginning of the recording. `connection` counts from 1; over
    datagrams it is a client. `message` is that of a request or reply, `detail` the words of any other line.
    """

    after: float
    connection: int
    what: What
    message: Message = Message(b"")
    detail: str = ""


OPENED = What.OPENED.encode()
EVENTS = "|".join(each for each in What if each not in (What.REQUEST, What.REPLY))
LINE = re.compile(
    rb"\+(\d{1,9}\.\d{3}) (\d{1,9}) (?:([<>])(x?)(?: ((?:[^\\\x00-\x1f\x7f]++|\\(?:[nrt\\]|x[0-9a-f]{2}|"
    rb"<redacted \d{1,9}>))++))?|(" + EVENTS.encode() + rb")(?:: ([^\x00-\x1f\x7f]+))?)"
)


def line_text(line: CassetteLine) -> str:
    """Return a line as a cassette has it, without its line end."""
    start = f"+{line.after:.3f} {line.connection} {line.what}"
    if line.what in (What.REQUEST, What.REPLY):
        return start + text_of(line.message.data, line.message.secrets)
    return f"{start}: {line.detail}" if line.detail else start


def checked(text: bytes) -> tuple[int, bool] | None:
    """Return the connection of a line, and whether the line opens it; None if this is no line of a cassette.

    The same as `line_from` finds, in less time.
    """
    match = LINE.fullmatch(text)
    if match is None:
        return None
    if match[4] or not text.isascii():
        line = line_from(text)
        return None if line is None else (line.connection, line.what is What.OPENED)
    return int(match[2]), match[6] == OPENED


def line_from(text: bytes) -> CassetteLine | None:
    """Return the line for a line of a cassette, without its line end; None if it is no such thing."""
    match = LINE.fullmatch(text)
    if match is None:
        return None
    after, connection, sign, is_hex, data, event, detail = match.groups()
    try:
        if sign is None:
            return CassetteLine(float(after), int(connection), What(event.decode()), detail=(detail or b"").decode())
        message = Message(*bytes_from(data or b"", is_hex=bool(is_hex)))
    except ValueError:  # no UTF-8, or no hexadecimal digits
        return None
    return CassetteLine(float(after), int(connection), What(sign.decode()), message)
