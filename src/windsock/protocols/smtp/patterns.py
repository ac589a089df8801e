"""Patterns for SMTP: `smtp.command("RCPT")`, `smtp.mail(subject="Hello")`, and `smtp.response(250)` for replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.smtp.messages import MailData, SMTPCommand, SMTPReply
from windsock.protocols.smtp.protocol import PROTOCOL, Said, mail_size

__all__ = ["command", "mail", "response"]


@dataclass(frozen=True, slots=True, repr=False)
class SMTPCommandPattern(MessagePattern):
    """Matches commands; see `command()`."""

    protocol = PROTOCOL
    is_reply = False
    verb: str = ""
    argument: str = ""

    def matches(self, message: Said) -> bool:
        """Return whether a message is such a command."""
        if not isinstance(message, SMTPCommand):
            return False
        begins = message.argument.lower().startswith(self.argument.lower())
        return self.verb in ("", message.verb) and begins

    def __repr__(self) -> str:
        return f"smtp.command({', '.join(repr(each) for each in (self.verb, self.argument) if each)})"


@dataclass(frozen=True, slots=True, repr=False)
class MailPattern(MessagePattern):
    """Matches mails; see `mail()`."""

    protocol = PROTOCOL
    is_reply = False
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def matches(self, message: Said) -> bool:
        """Return whether a message is such a mail."""
        if not isinstance(message, MailData) or self.text.encode() not in message.data:
            return False
        if not self.headers:
            return True
        found = message.message
        return all(value in map(str, found.get_all(name, ())) for name, value in self.headers)

    def size(self, data: bytes) -> int | None:
        """Return the size of a mail: a script that expects one is behind DATA."""
        return mail_size(data)

    def __repr__(self) -> str:
        words = [repr(self.text)] if self.text else []
        words += [f"{name.replace('-', '_')}={value!r}" for name, value in self.headers]
        return f"smtp.mail({', '.join(words)})"


@dataclass(frozen=True, slots=True, repr=False)
class SMTPReplyPattern(MessagePattern):
    """Matches replies; see `response()`."""

    protocol = PROTOCOL
    is_reply = True
    code: int | None = None
    text: str = ""

    def matches(self, message: SMTPReply) -> bool:
        """Return whether a reply is such a one."""
        return self.code in (None, message.code) and self.text in message.text

    def __repr__(self) -> str:
        words = [str(self.code)] if self.code is not None else []
        words += [] if not self.text else [repr(self.text) if words else f"text={self.text!r}"]
        return f"smtp.response({', '.join(words)})"


def command(verb: str = "", argument: str = "") -> SMTPCommandPattern:
    """Return a pattern for commands with this verb, whose argument begins with this one, both in any case.

    `smtp.command("RCPT", "TO:<bob@example.com>")`; without a verb, for all commands. For `server.on()`, `expect()` of
    scripts, and `match=` of faults.
    """
    if " " in _checked("command", verb):
        raise UsageError(f"smtp.command({verb!r}): a verb is one word; what follows it is the second argument")
    return SMTPCommandPattern(verb.upper(), _checked("command", argument))


def mail(text: str = "", **headers: str) -> MailPattern:
    """Return a pattern for mails, after DATA, that have this text in them, and these headers: `mail(subject="Hello")`.

    A header's name has underscores for its hyphens.
    """
    given = tuple((name.replace("_", "-"), _checked("mail", value)) for name, value in headers.items())
    return MailPattern(_checked("mail", text), given)


def response(code: int | None = None, text: str = "") -> SMTPReplyPattern:
    """Return a pattern for replies with this code, and this text in their lines; without them, for all replies."""
    if code is not None and type(code) is not int:
        raise UsageError(f"smtp.response({code!r}): expected a code, such as 250")
    return SMTPReplyPattern(code, _checked("response", text))


def _checked(method: str, text: Any) -> str:
    if isinstance(text, str):
        return text
    raise UsageError(f"smtp.{method}({text!r}): expected a str")
