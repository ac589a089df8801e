"""The rules and replies that two fakes share: those of a pair of servers over TCP and UDP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from windsock.fakes import patterns
from windsock.fakes.errors import FramingMissing
from windsock.fakes.fake_replies import FakeReplies
from windsock.fakes.replies import Answer, Delivery, checked_times, made_answer
from windsock.fakes.responder import Responder
from windsock.fakes.rule_options import RuleOptions
from windsock.fakes.rules import Rule
from windsock.net.system import threading
from windsock.protocols.values import Sendable
from windsock.recording import Framing, LengthPrefix, is_framed, preview
from windsock.scripts.repr import code_of

if TYPE_CHECKING:
    from windsock.fakes.states import Origin

__all__ = ["HalfReplies", "SharedReplies"]


class SharedReplies:
    """Answers the messages that neither fake has a reply of its own for, whichever of the two they come to.

    `framing` is that of the stream. A message is what a datagram has: on the stream, without its length prefix.
    """

    def __init__(self, framing: Framing | None, *, forks: bool) -> None:
        self._is_framed = is_framed(framing)
        known = None if isinstance(framing, LengthPrefix) else framing
        self._replies = FakeReplies(forks=forks, is_datagram=True)
        responder = Responder(self._replies, known, is_datagram=True)
        self._lock = threading.Lock()
        self.of_datagrams: HalfReplies = HalfReplies(responder, None)
        self.of_stream: HalfReplies = HalfReplies(responder, framing, is_judge=True)

    def on(self, pattern: object, options: RuleOptions) -> Rule:
        """Add a rule. See Fake.on."""
        patterns.checked(pattern)
        self._check_framing(f"on({code_of(pattern)})")
        with self._lock:
            return self._replies.rule(pattern, options)

    def reply(self, data: Sendable, times: int | None, **delivery: Unpack[Delivery]) -> None:
        """Answer the next messages. See Fake.reply."""
        answer = made_answer("reply", data, delivery)
        checked_times("reply", times)
        answer.check("reply", is_datagram=True)
        self._check_framing(f"reply({preview(data) if isinstance(data, bytes) else repr(data)})")
        with self._lock:
            self._replies.add(answer, times)

    def echo(self) -> None:
        """Answer every message with itself."""
        self._check_framing("echo()")
        self._replies.echo()

    def _check_framing(self, call: str) -> None:
        if not self._is_framed:
            raise FramingMissing(call)

    def close(self) -> None:
        """Close the descriptors."""
        self._replies.close()


class HalfReplies:
    """The shared replies as one of the two fakes sees them; the judge of the two reports those that were not used."""

    def __init__(self, responder: Responder, framing: Framing | None, *, is_judge: bool = False) -> None:
        self._responder = responder
        self._framing = framing if isinstance(framing, LengthPrefix) else None
        self._is_judge = is_judge

    def __bool__(self) -> bool:
        return bool(self._responder)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are tried."""
        return self._responder.rules

    def answer(self, message: bytes, origin: Origin) -> Answer | None:
        """Return the reply to a message; None for nothing. Raises UnexpectedMessage."""
        client = f"stream {origin.connection}" if origin.client is None else origin.client
        found = self._responder.answer(patterns.body(self._framing, message), origin.connection, client)
        return found if found is None or self._framing is None else replace(found, framing=self._framing)

    def unmet(self) -> list[str]:
        """Return descriptions of the rules and replies that neither fake has used."""
        return self._responder.unmet() if self._is_judge else []
