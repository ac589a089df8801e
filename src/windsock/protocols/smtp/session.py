"""Sessions as ready rules: `smtp.session(server, users={"me": "secret"})`, to which mail clients connect. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windsock.errors import PeerError, UsageError
from windsock.protocols.message_pattern import message
from windsock.protocols.ready_rules import check_server, checked_mapping
from windsock.protocols.smtp.dialogue import HOST, Dialogue, ReceivedMail, StartTLSOffer
from windsock.protocols.smtp.messages import SMTPReply, reply
from windsock.protocols.smtp.patterns import command
from windsock.protocols.smtp.protocol import PROTOCOL

__all__ = ["SMTPSession", "session"]

KEPT = "smtp"
"""The name of the dialogue in what a conversation keeps."""


class SMTPSession:
    """Answers as a mail server does, and keeps the mails."""

    def __init__(self, users: Mapping[str, str] | None, starttls: StartTLSOffer, *, begins_with_tls: bool) -> None:
        self.mails: list[ReceivedMail] = []
        """The mails that were received, in the order in which they came."""
        self._users = users
        self._starttls = starttls
        self._begins_with_tls = begins_with_tls

    def answer(self, message: bytes, conversation: Any) -> SMTPReply:
        """Return the reply to a message in a Conversation, which keeps what the client has said."""
        if KEPT not in conversation.kept:
            self._begin(conversation, is_encrypted=self._begins_with_tls)
        dialogue: Dialogue = conversation.kept[KEPT]
        return dialogue.answer(PROTOCOL.decoded(message))

    def start_tls(self, message: bytes, conversation: Any) -> SMTPReply:  # noqa: ARG002  # as functions of rules
        """Return the reply after which TLS starts: nothing that was said in the clear counts any more.

        Raises PeerError if it has started already.
        """
        dialogue = conversation.kept.get(KEPT)
        if dialogue is not None and dialogue.is_encrypted:
            raise PeerError("STARTTLS came in TLS, where it is not offered")  # RFC 3207, section 4.2
        self._begin(conversation, is_encrypted=True)
        return reply(220, "Ready to start TLS")

    def _begin(self, conversation: Any, *, is_encrypted: bool) -> None:
        index = conversation.index
        conversation.kept[KEPT] = Dialogue(index, is_encrypted, self._users, self._starttls, self._keep)

    def _keep(self, mail: ReceivedMail) -> SMTPReply:
        self.mails.append(mail)
        return reply(250, f"OK, queued as {len(self.mails)}")


def session(
    server: Any, users: Mapping[str, str] | None = None, *, starttls: StartTLSOffer | None = None
) -> SMTPSession:
    """Let a fake answer as a mail server does; return the session, whose `mails` are those that were received.

    `users`: passwords by names; mails are taken after AUTH PLAIN or LOGIN then. `starttls`: whether STARTTLS is
    offered, or "required" before mails and AUTH; None: if the server has `tls="starttls"`, which it needs. Rules that
    were added before, or with `first=True`, come first; a greeting of your own comes after it. `framing="smtp"` is
    needed. The mails are in the memory of this
    process, so the server must not be a forking one.
    """
    check_server("smtp.session()", server, PROTOCOL)
    if users is not None:
        checked_mapping("smtp.session(users=...)", users, "{'me': 'secret'}")
    begins_with_tls = getattr(server.server, "begins_with_tls", None)
    offered = _offered(starttls, can_start=begins_with_tls is False)
    made = SMTPSession(users, offered, begins_with_tls=begins_with_tls is True)
    server.on(command("QUIT")).reply(reply(221, "Bye"), end="close").optional()
    if offered:
        server.on(command("STARTTLS")).reply_with(made.start_tls, end="start_tls").optional()
    server.on(message(PROTOCOL)).reply_with(made.answer).optional()
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
