"""What one client says to a mail server, and the replies: in the clear, or in TLS. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal, TypeAlias

from windsock.protocols.smtp.auth import Login
from windsock.protocols.smtp.messages import MailChunk, MailData, SMTPCommand, SMTPReply, email_of, reply
from windsock.protocols.smtp.protocol import Said

__all__ = ["HOST", "Dialogue", "ReceivedMail", "StartTLSOffer"]

HOST = "mail.example"
OK = reply(250, "OK")
OUT_OF_ORDER = reply(503, "Bad sequence of commands")
TLS_FIRST = reply(530, "Must issue a STARTTLS command first")
StartTLSOffer: TypeAlias = bool | Literal["required"]


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail that was received: its envelope, its bytes, and what the client said before.

    `user` is "" without AUTH; `connection` is the index of the connection.
    """

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    user: str
    helo: str
    is_encrypted: bool
    connection: int

    @property
    def message(self) -> EmailMessage:
        """The mail as an `email.message.EmailMessage`, whose lines end with a line feed."""
        return email_of(self.data)


@dataclass(slots=True)
class Dialogue:
    """One client's session, and the mail that has begun. Another one begins with TLS."""

    connection: int
    is_encrypted: bool
    users: Mapping[str, str] | None
    starttls: StartTLSOffer
    keep: Callable[[ReceivedMail], SMTPReply]
    """Takes a mail, and returns the reply to it."""
    helo: str = ""
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    chunks: bytes = b""
    login: Login = field(default_factory=Login)

    def answer(self, said: Said) -> SMTPReply:
        """Return the reply to a message."""
        if isinstance(said, MailData):
            return self._receive(said.data)
        if isinstance(said, MailChunk):
            return self._receive_chunk(said)
        if self.login.is_open:
            return self.login.go_on(said.line, self.users or {})
        act = COMMANDS.get(said.verb)
        return reply(500, f"{said.verb[:32]} is not known") if act is None else act(self, said)

    def _receive(self, data: bytes) -> SMTPReply:
        mail = ReceivedMail(
            self.sender or "",
            tuple(self.recipients),
            data,
            self.login.user,
            self.helo,
            self.is_encrypted,
            self.connection,
        )
        self.reset()
        return self.keep(mail)

    def _receive_chunk(self, chunk: MailChunk) -> SMTPReply:
        if not self.recipients:
            return OUT_OF_ORDER
        self.chunks += chunk.data
        return self._receive(self.chunks) if chunk.is_last else OK

    # --- commands

    def reset(self) -> SMTPReply:
        """Forget the mail that has begun."""
        self.sender, self.recipients, self.chunks = None, [], b""
        return OK

    def greet(self, name: str, *extensions: str) -> SMTPReply:
        """Return the reply to HELO or EHLO, which begin again."""
        self.reset()
        self.helo = name
        return reply(250, HOST, *extensions)

    def extensions(self) -> list[str]:
        """Return what EHLO shows."""
        found = ["PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING"]
        if self.starttls and not self.is_encrypted:
            found.append("STARTTLS")
        if self.users is not None and not self._needs_tls():
            found.append("AUTH PLAIN LOGIN")
        return found

    def begin_login(self, argument: str) -> SMTPReply:
        """Return the reply to AUTH."""
        if self._needs_tls():
            return TLS_FIRST
        if self.users is None:
            return reply(502, "AUTH is not offered")
        return self.login.begin(argument, self.users)

    def begin_mail(self, sender: str | None) -> SMTPReply:
        """Return the reply to MAIL."""
        if self._needs_tls():
            return TLS_FIRST
        if self.users is not None and not self.login.user:
            return reply(530, "Authentication required")
        if not self.helo or self.sender is not None:
            return OUT_OF_ORDER
        self.sender = sender
        return reply(501, "Syntax: MAIL FROM:<address>") if sender is None else OK

    def add_recipient(self, recipient: str | None) -> SMTPReply:
        """Return the reply to RCPT."""
        if self.sender is None:
            return OUT_OF_ORDER
        if not recipient:
            return reply(501, "Syntax: RCPT TO:<address>")
        self.recipients.append(recipient)
        return OK

    def begin_data(self) -> SMTPReply:
        """Return the reply to DATA."""
        return reply(354, "End with a dot on a line of its own") if self.recipients else OUT_OF_ORDER

    def _needs_tls(self) -> bool:
        return self.starttls == "required" and not self.is_encrypted


COMMANDS: dict[str, Callable[[Dialogue, SMTPCommand], SMTPReply]] = {
    "EHLO": lambda dialogue, said: dialogue.greet(said.argument, *dialogue.extensions()),
    "HELO": lambda dialogue, said: dialogue.greet(said.argument),
    "AUTH": lambda dialogue, said: dialogue.begin_login(said.argument),
    "MAIL": lambda dialogue, said: dialogue.begin_mail(said.address),
    "RCPT": lambda dialogue, said: dialogue.add_recipient(said.address),
    "DATA": lambda dialogue, _: dialogue.begin_data(),
    "RSET": lambda dialogue, _: dialogue.reset(),
    "STARTTLS": lambda *_: reply(502, "STARTTLS is not offered"),
    "NOOP": lambda *_: OK,
    "VRFY": lambda *_: reply(252, "Send some mail, and see"),
}
"""The replies to commands; a rule of its own has STARTTLS, where it can begin."""
