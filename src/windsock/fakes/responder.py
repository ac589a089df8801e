"""The order of a fake's replies: rules first, then the queue, then the reply to every message, then the echo."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NoReturn, Protocol

from windsock.fakes import patterns
from windsock.fakes.errors import UnexpectedMessage
from windsock.fakes.fake_replies import FakeReplies
from windsock.fakes.replies import Answer
from windsock.fakes.rules import Rule
from windsock.fakes.shadowed_rules import shadowed
from windsock.fakes.state_table import not_led_to
from windsock.fakes.states import Origin
from windsock.fakes.unexpected import unexpected_message
from windsock.recording import Framing, is_framed, protocol_of

if TYPE_CHECKING:
    pass

__all__ = ["Responder"]


class _FurtherReplies(Protocol):
    """Replies of more than one fake, for messages that a fake has no reply of its own for; false if there are none."""

    def __bool__(self) -> bool: ...

    @property
    def rules(self) -> tuple[Rule, ...]: ...
    def answer(self, message: bytes, origin: Origin) -> Answer | None: ...
    def unmet(self) -> list[str]: ...


class Responder:
    """Finds the reply to a message."""

    def __init__(self, replies: FakeReplies, framing: Framing | None, *, is_datagram: bool) -> None:
        self.replies = replies
        self._states = replies.states
        self._framing = framing
        self.protocol = protocol_of(framing)
        """The protocol of the messages, if they have one."""
        self.is_datagram = is_datagram
        self._has_messages = is_datagram or is_framed(framing)
        self.shared: _FurtherReplies | None = None
        """The replies that it shares with another fake, which come after its own."""

    def __bool__(self) -> bool:
        return bool(self.replies or self.shared)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are tried."""
        return tuple(self.replies.rules)

    def unmet(self, streams: Iterable[tuple[int, bytes]] = ()) -> list[str]:
        """Return descriptions of the rules and replies that were not used.

        `streams` is what clients have sent, each with the index of its connection: it shows which rules took the
        messages of others.
        """
        replies = self.replies
        found = replies.unmet_rules()
        if found and not self._states.are_used:
            framing = self._framing if is_framed(self._framing) else None
            echoes = self.replies.echoes and self._framing is None
            taken = shadowed(self.replies.rules, streams, framing, is_datagram=self.is_datagram, echoes=echoes)
            for rule, why in taken.items():
                if rule in found:
                    found[rule] += f"; {why}"
        return [*found.values(), *replies.unmet_queued(), *(self.shared.unmet() if self.shared is not None else [])]

    # --- answering

    def answer(self, message: bytes, connection: int, client: object = None) -> Answer | None:
        """Return the reply to a whole message; None for nothing. Raises UnexpectedMessage.

        `client` is the address of a datagram's client.
        """
        origin = Origin(connection, client)
        if not self._states.are_used:
            return self._answer(message, origin)
        return self._states.with_state(origin, lambda now: self._answer(message, now))

    def _answer(self, message: bytes, origin: Origin) -> Answer | None:
        connection, state = origin.connection, origin.state
        for rule in self.replies.rules:
            if rule.is_for(connection, state) and patterns.match_message(rule.pattern, message, self._framing):
                turn = self._take(rule, origin)
                if turn is not None:
                    return self._answer_of(rule, turn, message, origin)
        return self._otherwise(message, origin)

    def answer_start(self, arrived: bytes, connection: int, *, is_all: bool = False) -> tuple[int, Answer | None]:
        """Return the size of the first message in the received data, or 0 if more must come; and the reply.

        The first rule whose bytes the data starts with answers, once that is certain: a rule waits while one before
        it may still match. `is_all`: nothing more will come.
        """
        origin = Origin(connection)
        if not self._states.are_used:
            return self._answer_start(arrived, origin, is_all=is_all)
        return self._states.with_state(origin, lambda now: self._answer_start(arrived, now, is_all=is_all))

    def _answer_start(self, arrived: bytes, origin: Origin, *, is_all: bool) -> tuple[int, Answer | None]:
        sizes = ((rule, self._size(rule, arrived, origin)) for rule in self.replies.rules)
        seen = []
        for rule, size in sizes:
            seen.append((rule, size))
            if size and rule.is_due():
                break
            if not is_all and self._is_alive(rule, origin) and patterns.begins(rule.pattern, arrived):
                return 0, None
        else:
            if not is_all and self._may_match_later(seen, arrived, origin):
                return 0, None
        known = 0
        for rule, size in chain(seen, sizes):
            if size:
                turn = self._take(rule, origin)
                if turn is not None:
                    return size, self._answer_of(rule, turn, arrived[:size], origin)
                if not (self.replies.echoes and rule.is_used_up()):  # nor does an echo wait for the rest of such bytes
                    known = known or size
        size = known or len(arrived)
        if not known and self._framing is None and self.replies.rules:
            known_patterns = [each.pattern for each in self.replies.rules]
            size = patterns.unanswered(known_patterns, arrived, has_echo=self.replies.echoes)
        return size, self._otherwise(arrived[:size], origin)

    def _take(self, rule: Rule, origin: Origin) -> int | None:
        return rule.take() if origin.state is None else self._states.take(rule, origin)

    def _size(self, rule: Rule, arrived: bytes, origin: Origin) -> int:
        return patterns.match_start(rule.pattern, arrived) if rule.is_for(origin.connection, origin.state) else 0

    def _is_alive(self, rule: Rule, origin: Origin) -> bool:
        return rule.is_for(origin.connection, origin.state) and not rule.is_used_up()

    def _may_match_later(self, seen: list[tuple[Rule, int]], arrived: bytes, origin: Origin) -> bool:
        """Return whether to wait for more data if no rule matches its start, and nothing else answers it.

        For the rest of a rule's bytes, so that an error shows all of them; for other patterns that may still match.
        """
        if not self.replies.has_only_rules():
            return False
        if any(patterns.begins(rule.pattern, arrived) for rule, _ in seen):
            return True
        others = [rule for rule, _ in seen if not isinstance(rule.pattern, bytes)]
        return not any(size for _, size in seen) and any(self._is_alive(each, origin) for each in others)

    def _answer_of(self, rule: Rule, turn: int, message: bytes, origin: Origin) -> Answer:
        """Return a rule's reply. Raises UnexpectedMessage if the rule has none."""
        answer = rule.answer(turn)
        if answer is None:
            self.unexpected(message, origin)
        return answer

    def unexpected(self, message: bytes, origin: Origin) -> NoReturn:
        """Raise UnexpectedMessage, with the closest rules."""
        rules = (*self.replies.rules, *(self.shared.rules if self.shared is not None else ()))
        why_never = partial(not_led_to, rules=self.replies.rules, start=self._states.start)
        raise unexpected_message(message, origin, rules, why_never, self._framing, has_messages=self._has_messages)

    def _otherwise(self, message: bytes, origin: Origin) -> Answer | None:
        """Return the reply if no rule has one."""
        replies = self.replies
        queued = replies.queue.take() if replies.queue is not None else None
        if queued is not None:
            return queued
        if replies.every is not None:
            return replies.every
        if replies.echoes:
            return Answer(message)
        if self.shared:
            return self._of_both(self.shared, message, origin)
        if replies.rules or replies.queue is not None or replies.plays_too:
            self.unexpected(message, origin)
        return None

    def _of_both(self, shared: _FurtherReplies, message: bytes, origin: Origin) -> Answer | None:
        try:
            return shared.answer(message, origin)
        except UnexpectedMessage:
            self.unexpected(message, origin)
