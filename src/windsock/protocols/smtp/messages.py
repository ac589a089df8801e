"""Commands, mails and replies of SMTP as values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError

__all__ = [
    "MailChunk",
    "MailData",
    "SMTPCommand",
    "SMTPReply",
    "chunk_head",
    "email_of",
    "reply",
    "reply_in",
    "text_of",
]

ADDRESS = re.compile(r"(?:FROM|TO):[ \t]*<([^>]*)>", re.IGNORECASE)
CHUNK = re.compile(rb"BDAT[ \t]+(\d{1,10})([ \t]+LAST)?[ \t]*\r\n", re.IGNORECASE)
SUBJECT = re.compile(rb"^subject:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
BEGINNING_DOT = re.compile(rb"(\A|\r\n)\.")
DOT = b".\r\n"


@dataclass(frozen=True, slots=True, repr=False)
class SMTPCommand:
    """A line of a client, without its end: a command, or what answers a challenge of AUTH."""

    line: str

    @property
    def verb(self) -> str:
        """The first word, in upper case."""
        return self.line.partition(" ")[0].upper()

    @property
    def argument(self) -> str:
        """What follows the verb."""
        return self.line.partition(" ")[2].strip()

    @property
    def address(self) -> str | None:
        """The address of MAIL or RCPT; None if there is none."""
        found = ADDRESS.match(self.argument)
        return None if found is None else found[1]

    def __bytes__(self) -> bytes:
        return _encoded(self.line) + b"\r\n"

    def __str__(self) -> str:
        return self.line

    def __repr__(self) -> str:
        return f"smtp.SMTPCommand({self.line!r})"


@dataclass(frozen=True, slots=True, repr=False)
class MailData:
    """What follows DATA: the mail as it was written, without the dots of the transport and the last line."""

    data: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail as an `email.message.EmailMessage`."""
        return email_of(self.data)

    def __bytes__(self) -> bytes:
        end = b"" if not self.data or self.data.endswith(b"\r\n") else b"\r\n"
        return BEGINNING_DOT.sub(rb"\1..", self.data) + end + DOT

    def __str__(self) -> str:
        return _mail_in_words(self.data)

    def __repr__(self) -> str:
        return f"smtp.MailData({self.data!r})"


@dataclass(frozen=True, slots=True, repr=False)
class MailChunk:
    """A chunk of a mail, with BDAT (RFC 3030)."""

    data: bytes
    is_last: bool = False

    def __bytes__(self) -> bytes:
        return b"BDAT %d%b\r\n%b" % (len(self.data), b" LAST" if self.is_last else b"", self.data)

    def __str__(self) -> str:
        return f"BDAT {len(self.data)}{' LAST' if self.is_last else ''}"

    def __repr__(self) -> str:
        return f"smtp.MailChunk({self.data!r}{', is_last=True' if self.is_last else ''})"


@dataclass(frozen=True, slots=True, repr=False)
class SMTPReply:
    """A reply: a code, and the text of its lines. See `reply()`."""

    code: int
    lines: tuple[str, ...] = ("",)

    @property
    def text(self) -> str:
        """The lines in one."""
        return "\n".join(self.lines)

    def __bytes__(self) -> bytes:
        last = len(self.lines) - 1
        return b"".join(
            b"%d%b%b\r\n" % (self.code, b" " if number == last else b"-", _encoded(line))
            for number, line in enumerate(self.lines)
        )

    def __str__(self) -> str:
        return f"{self.code} {', '.join(self.lines)}".rstrip()

    def __repr__(self) -> str:
        return f"smtp.reply({', '.join([str(self.code), *map(repr, self.lines)])})"


def reply(code: int, *lines: str) -> SMTPReply:
    """Return a reply, with a line for each text: `smtp.reply(250, "mail.example", "STARTTLS")`."""
    given: tuple[Any, ...] = lines
    if type(code) is not int or not 200 <= code <= 599:
        raise UsageError(f"smtp.reply({code!r}): expected a code from 200 to 599")
    for each in given:
        if not isinstance(each, str) or "\n" in each or "\r" in each:
            raise UsageError(
                f"smtp.reply({code}, {each!r}): expected a str without line ends; pass a str for each line"
            )
    return SMTPReply(code, lines or ("",))


def reply_in(data: bytes) -> SMTPReply:
    """Return a whole reply. Raises DecodeError."""
    lines = data.removesuffix(b"\r\n").split(b"\r\n")
    codes = {each[:3] for each in lines}
    if not data.endswith(b"\r\n") or any(b"\n" in each or b"\r" in each for each in lines):
        raise DecodeError("the lines of a reply end with CRLF")
    if len(codes) != 1:
        raise DecodeError(f"a reply has one code, not {b' and '.join(sorted(codes))!r}")
    if not re.fullmatch(rb"[2-5]\d\d", lines[0][:3]) or any(each[3:4] not in (b"", b" ", b"-") for each in lines):
        raise DecodeError(f"{lines[0][:32]!r} does not begin with a code", type="code")
    return SMTPReply(int(lines[0][:3]), tuple(text_of(each[4:]) for each in lines))


def chunk_head(data: bytes) -> tuple[int, int, bool] | None:
    """Return the size of a line with BDAT, the size of the chunk that follows, and whether it is the last one."""
    found = CHUNK.match(data)
    return None if found is None else (found.end(), int(found[1]), found[2] is not None)


def email_of(data: bytes) -> EmailMessage:
    """Return a mail as the standard library has it, whose lines end with a line feed."""
    from email import message_from_bytes, policy

    return message_from_bytes(data.replace(b"\r\n", b"\n"), policy=policy.default)


def text_of(data: bytes) -> str:
    """Return bytes as text, without loss."""
    return data.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _mail_in_words(data: bytes) -> str:
    subject = SUBJECT.search(data.partition(b"\r\n\r\n")[0])
    return f"mail {text_of(subject[1]) + ' ' if subject else ''}({len(data)} bytes)"
