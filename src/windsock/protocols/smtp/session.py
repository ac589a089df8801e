"""Sessions as ready rules: `smtp.session(server, users={"me": "secret"})`, to which mail clients connect. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.answering import Answering, check_shares_memory
from windsock.protocols.message_pattern import message
from windsock.protocols.smtp.dialogue import HOST, Dialogue, ReceivedMail, StartTLSOffer
from windsock.protocols.smtp.messages import SMTPReply, reply
from windsock.protocols.smtp.patterns import command
from windsock.protocols.smtp.protocol import PROTOCOL

__all__ = ["SMTPSession", "session"]


class SMTPSession:
    """Answers as a mail server does, and keeps the mails."""

    def __init__(self, server: Any, users: Mapping[str, str] | None, starttls: StartTLSOffer) -> None:
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
        return self._server.connections[connection].tls is None

    def answer(self, message: bytes) -> SMTPReply:
        """Return the reply to a message."""
        index = self._answering.connection
        is_encrypted = not self.is_in_clear(index)
        if (index, is_encrypted) not in self._dialogues:
            made = Dialogue(index, is_encrypted, self._users, self._starttls, self._keep)
            self._dialogues[index, is_encrypted] = made
        return self._dialogues[index, is_encrypted].answer(PROTOCOL.decoded(message))

    def _keep(self, mail: ReceivedMail) -> SMTPReply:
        self.mails.append(mail)
        return reply(250, f"OK, queued as {len(self.mails)}")


def session(
    server: Any, users: Mapping[str, str] | None = None, *, starttls: StartTLSOffer | None = None
) -> SMTPSession:
    """Let a fake answer as a mail server does; return the session, whose `mails` are those that were received.

    `users`: passwords by names; mails are taken after AUTH PLAIN or LOGIN then. `starttls`: whether STARTTLS is
    offered, or "required" before mails and AUTH; None: if the server has `tls="starttls"`, which it needs. Rules that
    were added before, or with `first=True`, come first. `framing="smtp"` is needed. The mails are in the memory of this
    process, so the server must not be a forking one.
    """
    check_shares_memory("smtp.session()", server)
    offered = _offered(starttls, can_start=getattr(server.server, "begins_with_tls", True) is False)
    made = SMTPSession(server, users, offered)
    server.on(command("QUIT")).reply(reply(221, "Bye"), end="close").optional()
    if offered:
        ready = reply(220, "Ready to start TLS")
        server.on(command("STARTTLS"), connections=made.is_in_clear).reply(ready, end="start_tls").optional()
    server.on(message(PROTOCOL), connections=made.is_here).reply_with(made.answer).optional()
    server.greet(reply(220, f"{HOST} ESMTP"))
    return made


def _offered(starttls: Any, *, can_start: bool) -> StartTLSOffer:
    """Return whether STARTTLS is offered. Raises UsageError."""
    if starttls not in (None, False, True, "required"):
        raise UsageError(f"smtp.session(starttls={starttls!r}): expected True, False or 'required'")
    if starttls and not can_start:
        raise UsageError(f"smtp.session(starttls={starttls!r}): the server can't start TLS; pass tls='starttls'")
    offered: StartTLSOffer = can_start if starttls is None else starttls
    return offered
