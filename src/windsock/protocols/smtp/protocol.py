"""SMTP as a protocol: lines, the mail that follows DATA, chunks of BDAT; replies of several lines. No I/O."""

from __future__ import annotations

from typing import Self, TypeAlias

from windsock.protocols.errors import DecodeError
from windsock.protocols.protocol import Protocol
from windsock.protocols.smtp.messages import (
    BEGINNING_DOT,
    DOT,
    MailChunk,
    MailData,
    SMTPCommand,
    SMTPReply,
    chunk_head,
    reply_in,
    text_of,
)

__all__ = ["PROTOCOL", "SMTPProtocol", "Said", "line_size", "mail_size"]

Said: TypeAlias = SMTPCommand | MailData | MailChunk
"""A message of a client."""


class SMTPProtocol(Protocol):
    """SMTP: after DATA, and unless its reply is an error, a mail follows. Each connection has an object of its own."""

    name = "smtp"
    title = "SMTP"

    def __init__(self) -> None:
        self._has_mail_next = False
        self._unanswered = 0
        """The messages of the client that have no reply yet."""
        self._until_data = 0
        """Those of them up to DATA."""

    def begin(self) -> Self:
        """Return the protocol of one connection."""
        return type(self)()

    def size(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        return mail_size(data) if self._has_mail_next else line_size(data)

    def reply_size(self, data: bytes) -> int | None:
        """Return the size of the first reply with all its lines, or None."""
        start = 0
        while end := data.find(b"\n", start) + 1:
            if data[start + 3 : start + 4] != b"-" or not data[start : start + 3].isdigit():
                return end
            start = end
        return None

    def passed(self, data: bytes, *, is_reply: bool) -> None:
        """Learn whether a mail follows."""
        if is_reply:
            self._answered(data)
            return
        self._unanswered += 1
        self._has_mail_next = not self._has_mail_next and data.strip().upper() == b"DATA"
        if self._has_mail_next:
            self._until_data = self._unanswered

    def _answered(self, data: bytes) -> None:
        self._unanswered = max(0, self._unanswered - 1)  # the greeting answers nothing
        if self._until_data:
            self._until_data -= 1
            if not self._until_data and data[:3] != b"354":
                self._has_mail_next = False

    def decode(self, data: bytes) -> Said:
        """Return a command, a mail or a chunk: they can be told by their bytes."""
        head = chunk_head(data)
        if head is not None and len(data) == head[0] + head[1]:
            return MailChunk(data[head[0] :], head[2])
        if data == DOT or data.endswith(b"\r\n" + DOT):
            return MailData(BEGINNING_DOT.sub(rb"\1", data[: -len(DOT)]))
        return _line_in(data)

    def decode_reply(self, data: bytes) -> SMTPReply:
        """Return a reply."""
        return reply_in(data)


PROTOCOL = SMTPProtocol()


def line_size(data: bytes) -> int | None:
    """Return the size of a line, and of the chunk that follows BDAT."""
    end = data.find(b"\n") + 1
    head = chunk_head(data[:end])
    return end + head[1] if head is not None else end or None


def mail_size(data: bytes) -> int | None:
    """Return the size of a mail with the dot that ends it."""
    if data.startswith(DOT):
        return len(DOT)
    found = data.find(b"\r\n" + DOT)
    return None if found < 0 else found + len(DOT) + 2


def _line_in(data: bytes) -> SMTPCommand:
    line = data.removesuffix(b"\r\n")
    if len(line) == len(data) or b"\n" in line or b"\r" in line:
        raise DecodeError("a command is a line that ends with CRLF")
    if not line.strip():
        raise DecodeError("an empty line is no command")
    if b"\0" in line:
        raise DecodeError("a command has no NUL", offset=line.index(b"\0"), type="line")
    return SMTPCommand(text_of(line))
