"""Sessions as ready rules: `smtp.session(server, users={"me": "secret"})`, to which mail clients connect. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Literal

from windsock.errors import UsageError
from windsock.protocols.answering import Answering, check_shares_memory
from windsock.protocols.message_pattern import message
from windsock.protocols.smtp.auth import Login
from windsock.protocols.smtp.messages import MailChunk, MailData, SMTPCommand, SMTPReply, email_of, reply
from windsock.protocols.smtp.patterns import command
from windsock.protocols.smtp.protocol import PROTOCOL

__all__ = ["ReceivedMail", "SMTPSession", "session"]

HOST = "mail.example"
OK = reply(250, "OK")
TLS_FIRST = reply(530, "Must issue a STARTTLS command first")
OUT_OF_ORDER = "Bad sequence of commands"


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
        """The mail as an `email.message.EmailMessage`."""
        return email_of(self.data)


@dataclass(slots=True)
class Dialogue:
    """What one client has said so far, in the clear or in TLS."""

    helo: str = ""
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    chunks: bytes = b""
    login: Login = field(default_factory=Login)

    def reset(self) -> None:
        """Forget the mail that has begun."""
        self.sender, self.recipients, self.chunks = None, [], b""


class SMTPSession:
    """Answers as a mail server does, and keeps the mails."""

    def __init__(self, server: Any, users: Mapping[str, str] | None, starttls: bool | Literal["required"]) -> None:
        self.mails: list[ReceivedMail] = []
        """The mails that were received, in the order in which they came."""
        self._server = server
        self._users = users
        self._starttls = starttls
        self._dialogues: dict[tuple[int, bool], Dialogue] = {}
        self._answering = Answering()
        self.is_here = self._answering.is_here

    def is_in_clear(self, connection: int) -> bool:
        """Return whether a connection is not encrypted."""
        return not self._is_encrypted(connection)

    def _is_encrypted(self, connection: int) -> bool:
        return self._server.connections[connection].tls is not None

    def answer(self, message: bytes) -> SMTPReply:
        """Return the reply to a message."""
        said = PROTOCOL.decode(message)
        index = self._answering.connection
        key = index, self._is_encrypted(index)
        dialogue = self._dialogues.setdefault(key, Dialogue())
        if isinstance(said, MailData):
            return self._receive(dialogue, said.data, key)
        if isinstance(said, MailChunk):
            return self._receive_chunk(dialogue, said, key)
        if dialogue.login.is_open:
            return dialogue.login.go_on(said.line, self._users or {})
        act = COMMANDS.get(said.verb)
        return reply(500, f"{said.verb[:32]} is not known") if act is None else act(self, dialogue, said, key[1])

    def _receive(self, dialogue: Dialogue, data: bytes, key: tuple[int, bool]) -> SMTPReply:
        sender, recipients, user = dialogue.sender or "", tuple(dialogue.recipients), dialogue.login.user
        self.mails.append(ReceivedMail(sender, recipients, data, user, dialogue.helo, key[1], key[0]))
        dialogue.reset()
        return reply(250, f"OK, queued as {len(self.mails)}")

    def _receive_chunk(self, dialogue: Dialogue, chunk: MailChunk, key: tuple[int, bool]) -> SMTPReply:
        if not dialogue.recipients:
            return reply(503, OUT_OF_ORDER)
        dialogue.chunks += chunk.data
        return self._receive(dialogue, dialogue.chunks, key) if chunk.is_last else OK

    # --- commands

    def ehlo(self, dialogue: Dialogue, said: SMTPCommand, is_encrypted: bool) -> SMTPReply:
        """Return the extensions."""
        self.helo(dialogue, said, is_encrypted)
        extensions = ["PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING"]
        if self._starttls and not is_encrypted:
            extensions.append("STARTTLS")
        if self._users is not None and self._is_open(is_encrypted):
            extensions.append("AUTH PLAIN LOGIN")
        return reply(250, HOST, *extensions)

    def helo(self, dialogue: Dialogue, said: SMTPCommand, is_encrypted: bool) -> SMTPReply:
        """Begin, or begin again."""
        dialogue.reset()
        dialogue.helo = said.argument
        return reply(250, HOST)

    def auth(self, dialogue: Dialogue, said: SMTPCommand, is_encrypted: bool) -> SMTPReply:
        """Begin a login."""
        if not self._is_open(is_encrypted):
            return TLS_FIRST
        if self._users is None:
            return reply(502, "AUTH is not offered")
        return dialogue.login.begin(said.argument, self._users)

    def mail(self, dialogue: Dialogue, said: SMTPCommand, is_encrypted: bool) -> SMTPReply:
        """Take the sender."""
        if not self._is_open(is_encrypted):
            return TLS_FIRST
        if self._users is not None and not dialogue.login.user:
            return reply(530, "Authentication required")
        if not dialogue.helo or dialogue.sender is not None:
            return reply(503, OUT_OF_ORDER)
        dialogue.sender = said.address
        return OK if said.address is not None else reply(501, "Syntax: MAIL FROM:<address>")

    def rcpt(self, dialogue: Dialogue, said: SMTPCommand, is_encrypted: bool) -> SMTPReply:
        """Take a recipient."""
        if dialogue.sender is None:
            return reply(503, OUT_OF_ORDER)
        if not said.address:
            return reply(501, "Syntax: RCPT TO:<address>")
        dialogue.recipients.append(said.address)
        return OK

    def data(self, dialogue: Dialogue, said: SMTPCommand, is_encrypted: bool) -> SMTPReply:
        """Ask for the mail."""
        return reply(354, "End with a dot on a line of its own") if dialogue.recipients else reply(503, OUT_OF_ORDER)

    def rset(self, dialogue: Dialogue, said: SMTPCommand, is_encrypted: bool) -> SMTPReply:
        """Forget the mail that has begun."""
        dialogue.reset()
        return OK

    def starttls(self, dialogue: Dialogue, said: SMTPCommand, is_encrypted: bool) -> SMTPReply:
        """Refuse: there is a rule for the case that it can begin."""
        return reply(503 if is_encrypted else 502, "STARTTLS is not offered")

    def _is_open(self, is_encrypted: bool) -> bool:
        return is_encrypted or self._starttls != "required"


Act = Callable[[SMTPSession, Dialogue, SMTPCommand, bool], SMTPReply]
COMMANDS: dict[str, Act] = {
    "EHLO": SMTPSession.ehlo,
    "HELO": SMTPSession.helo,
    "AUTH": SMTPSession.auth,
    "MAIL": SMTPSession.mail,
    "RCPT": SMTPSession.rcpt,
    "DATA": SMTPSession.data,
    "RSET": SMTPSession.rset,
    "STARTTLS": SMTPSession.starttls,
    "NOOP": lambda *_: OK,
    "VRFY": lambda *_: reply(252, "Send some mail, and see"),
}


def session(
    server: Any, users: Mapping[str, str] | None = None, *, starttls: bool | Literal["required"] | None = None
) -> SMTPSession:
    """Let a fake answer as a mail server does; return the session, whose `mails` are those that were received.

    `users`: passwords by names; mails are taken after AUTH PLAIN or LOGIN then. `starttls`: whether STARTTLS is
    offered, or "required" before mails and AUTH; None: if the server has `tls="starttls"`, which it needs. Rules that
    were added before, or with `first=True`, come first. `framing="smtp"` is needed. The mails are in the memory of this
    process, so the server must not be a forking one.
    """
    check_shares_memory("smtp.session()", server)
    can_start = getattr(server.server, "begins_with_tls", True) is False
    if starttls not in (None, False, True, "required"):
        raise UsageError(f"smtp.session(starttls={starttls!r}): expected True, False or 'required'")
    if starttls and not can_start:
        raise UsageError(f"smtp.session(starttls={starttls!r}): the server can't start TLS; pass tls='starttls'")
    offered = can_start if starttls is None else starttls
    made = SMTPSession(server, users, offered)
    server.greet(reply(220, f"{HOST} ESMTP"))
    server.on(command("QUIT")).reply(reply(221, "Bye"), end="close").optional()
    if offered:
        ready = reply(220, "Ready to start TLS")
        server.on(command("STARTTLS"), connections=made.is_in_clear).reply(ready, end="start_tls").optional()
    server.on(message(PROTOCOL), connections=made.is_here).reply_with(made.answer).optional()
    return made
