"""The order of a fake's replies: rules first, then the queue, then the reply to every message, then the echo."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NoReturn, Protocol

from windsock.fakes import patterns
from windsock.fakes.counters import Counters
from windsock.fakes.errors import UnexpectedMessage, UnreachableRule
from windsock.fakes.replies import Answer
from windsock.fakes.reply_queue import Queue
from windsock.fakes.rules import Connections, Rule
from windsock.fakes.shadowed_rules import shadowed
from windsock.fakes.shared_answers import NOTHING_SHARED, SharedAnswers
from windsock.fakes.state_table import not_led_to, table, unreachable
from windsock.fakes.states import Origin, States
from windsock.fakes.unexpected import unexpected_message
from windsock.recording import Framing, is_framed, protocol_of

if TYPE_CHECKING:
    from windsock.protocols.protocol import Protocol as MessageProtocol

__all__ = ["Responder"]


class FurtherReplies(Protocol):
    """Replies of more than one fake, for messages that a fake has no reply of its own for; false if there are none."""

    def __bool__(self) -> bool: ...

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are tried."""
        ...

    def answer(self, message: bytes, origin: Origin) -> Answer | None:
        """Return the reply to a message; None for nothing. Raises UnexpectedMessage."""
        ...

    def unmet(self) -> list[str]:
        """Return descriptions of the rules and replies that were not used."""
        ...


class Responder:
    """The rules and replies of a fake, without scripts of whole connections. Changes are made under a lock.

    `plays_too` means that the fake has scripts for connections, so that a message without a reply is unexpected.
    `noted` is called with the index of a connection and the state that a reply leads to.
    """

    def __init__(
        self,
        framing: Framing | None,
        *,
        forks: bool,
        is_datagram: bool,
        noted: Callable[[int, str], object] | None = None,
    ) -> None:
        self._framing = framing
        self._forks = forks
        self.is_datagram = is_datagram
        self._has_messages = is_datagram or is_framed(framing)
        self.plays_too = False
        self.shared: FurtherReplies | None = None
        """The replies that it shares with another fake, which come after its own."""
        self._rules: list[Rule] = []
        self._queue: Queue | None = None
        self._every: Answer | None = None
        self._echoes = False
        self._counters: Counters | None = None
        self.states = States(is_datagram=is_datagram, across_processes=forks, noted=noted)
        self._shared = NOTHING_SHARED
        self._outer: list[SharedAnswers] = []
        self._led_to: set[Rule] = set()
        """The shared rules that messages could reach in a part."""

    @property
    def protocol(self) -> MessageProtocol | None:
        """The protocol of the messages, if they have one."""
        return protocol_of(self._framing)

    def __bool__(self) -> bool:
        return bool(self._rules or self._queue or self._every or self._echoes or self.shared)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are tried."""
        return tuple(self._rules)

    # --- adding

    def rule(
        self,
        pattern: object,
        *,
        after: int = 0,
        connections: Connections | None = None,
        first: bool = False,
        states: tuple[str, ...] = (),
    ) -> Rule:
        """Add a rule, after the existing ones but before shared ones, or before all of them if `first`."""
        rule = Rule(
            pattern,
            self._shared_counters(),
            after=after,
            connections=connections,
            is_first=first,
            is_datagram=self.is_datagram,
        )
        rule.set_states(states, self.states)
        own, shared = self._rules, [*self._shared.rules]
        if shared:
            own = own[: len(own) - len(shared)]
        self._rules = [rule, *own, *shared] if first else [*own, rule, *shared]
        return rule

    def add(self, answer: Answer, times: int | None) -> None:
        """Queue a reply `times` times; None: for every message that nothing else answers."""
        if times is None:
            self._every = answer
            return
        if self._queue is None:
            self._queue = Queue(self._shared_counters())
        self._queue.add(answer, times)

    def echo(self) -> None:
        """Answer every other message with itself."""
        self._echoes = True

    def begin_part(self, carried: Collection[int]) -> None:
        """Share the answers there are between all parts: each begins with them, as if nothing was answered before.

        `carried` are the indices of the connections that are open; each stays in its state.
        """
        counters, queue = self._counters, self._queue
        self._outer.append(self._shared)
        self._shared = SharedAnswers(
            tuple(self._rules),
            queue,
            () if queue is None else tuple(queue.replies),
            self._every,
            self._echoes,
            self.plays_too,
            0 if counters is None else counters.count,
        )
        if counters is not None:
            counters.begin_again()
        self.states.begin_part(carried)

    def end_part(self, *, is_quiet: bool) -> None:
        """Remove the answers that came since `begin_part()`. `is_quiet`: no connection is open, which may use them."""
        shared = self._shared
        self._led_to.update(set(shared.rules) - self._lost().keys())
        self._rules, self._every, self._echoes = list(shared.rules), shared.every, shared.echoes
        self.plays_too = shared.plays_too
        self._queue = shared.queue
        if self._queue is not None:
            self._queue.reset(list(shared.replies))
        if self._counters is not None and is_quiet:
            self._counters.drop(shared.counters)
        self.states.end_part()
        outer = self._outer.pop()
        if self._outer:
            self._shared = outer

    def _shared_counters(self) -> Counters:
        if self._counters is None:
            self._counters = Counters(across_processes=self._forks)
        return self._counters

    def close(self) -> None:
        """Close the descriptors."""
        self.states.close()
        if self._counters is not None:
            self._counters.close()

    def unmet(self, streams: Iterable[tuple[int, bytes]] = ()) -> list[str]:
        """Return descriptions of the rules and replies that were not used.

        `streams` is what clients have sent, each with the index of its connection: it shows which rules took the
        messages of others.
        """
        lost, shared = self._unreachable(), self._shared.rules  # each that is lost is an error of its own
        unmet = {rule: rule.unmet() for rule in self._rules if rule not in lost and rule not in shared}
        found = {rule: words for rule, words in unmet.items() if words is not None}
        if found and not self.states.are_used:
            framing = self._framing if is_framed(self._framing) else None
            echoes = self._echoes and self._framing is None
            taken = shadowed(self._rules, streams, framing, is_datagram=self.is_datagram, echoes=echoes)
            for rule, why in taken.items():
                if rule in found:
                    found[rule] += f"; {why}"
        queued = [] if self._queue is None else self._queue.unmet(len(self._shared.replies))
        return [*found.values(), *queued, *(self.shared.unmet() if self.shared is not None else [])]

    def unreachable(self) -> list[UnreachableRule]:
        """Return the rules that no message can reach, if rules name states."""
        return list(self._unreachable().values())

    def _unreachable(self) -> dict[Rule, UnreachableRule]:
        """Return what is wrong with the rules of a part, or at the end with those for all parts.

        A part may have rules for a state that those of another one lead to, and its own ones stand before them.
        """
        excused = self._shared.rules if self._outer else self._led_to
        return {rule: error for rule, error in self._lost().items() if rule not in excused}

    def _lost(self) -> dict[Rule, UnreachableRule]:
        return dict(unreachable(self._rules, self.states.start)) if self.states.are_used else {}

    def state_table(self) -> list[str]:
        """Return the rules with their states, as a table; nothing if no rule names a state."""
        return table(self._rules, self.states) if self.states.are_used else []

    # --- answering

    def answer(self, message: bytes, connection: int, client: object = None) -> Answer | None:
        """Return the reply to a whole message; None for nothing. Raises UnexpectedMessage.

        `client` is the address of a datagram's client.
        """
        origin = Origin(connection, client)
        if not self.states.are_used:
            return self._answer(message, origin)
        return self.states.with_state(origin, lambda now: self._answer(message, now))

    def _answer(self, message: bytes, origin: Origin) -> Answer | None:
        connection, state = origin.connection, origin.state
        for rule in self._rules:
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
        if not self.states.are_used:
            return self._answer_start(arrived, origin, is_all=is_all)
        return self.states.with_state(origin, lambda now: self._answer_start(arrived, now, is_all=is_all))

    def _answer_start(self, arrived: bytes, origin: Origin, *, is_all: bool) -> tuple[int, Answer | None]:
        sizes = ((rule, self._size(rule, arrived, origin)) for rule in self._rules)
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
                if not (self._echoes and rule.is_used_up()):  # nor does an echo wait for the rest of such bytes
                    known = known or size
        size = known or len(arrived)
        if not known and self._framing is None and self._rules:
            size = patterns.unanswered([each.pattern for each in self._rules], arrived, has_echo=self._echoes)
        return size, self._otherwise(arrived[:size], origin)

    def _take(self, rule: Rule, origin: Origin) -> int | None:
        return rule.take() if origin.state is None else self.states.take(rule, origin)

    def _size(self, rule: Rule, arrived: bytes, origin: Origin) -> int:
        return patterns.match_start(rule.pattern, arrived) if rule.is_for(origin.connection, origin.state) else 0

    def _is_alive(self, rule: Rule, origin: Origin) -> bool:
        return rule.is_for(origin.connection, origin.state) and not rule.is_used_up()

    def _may_match_later(self, seen: list[tuple[Rule, int]], arrived: bytes, origin: Origin) -> bool:
        """Return whether to wait for more data if no rule matches its start, and nothing else answers it.

        For the rest of a rule's bytes, so that an error shows all of them; for other patterns that may still match.
        """
        if not self._has_only_rules():
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
        rules = (*self._rules, *(self.shared.rules if self.shared is not None else ()))
        why_never = partial(not_led_to, rules=self._rules, start=self.states.start)
        raise unexpected_message(message, origin, rules, why_never, self._framing, has_messages=self._has_messages)

    def _otherwise(self, message: bytes, origin: Origin) -> Answer | None:
        """Return the reply if no rule has one."""
        queued = self._queue.take() if self._queue is not None else None
        if queued is not None:
            return queued
        if self._every is not None:
            return self._every
        if self._echoes:
            return Answer(message)
        if self.shared:
            return self._of_both(self.shared, message, origin)
        if self._rules or self._queue is not None or self.plays_too:
            self.unexpected(message, origin)
        return None

    def _of_both(self, shared: FurtherReplies, message: bytes, origin: Origin) -> Answer | None:
        try:
            return shared.answer(message, origin)
        except UnexpectedMessage:
            self.unexpected(message, origin)

    def _has_only_rules(self) -> bool:
        has_replies = self._queue is not None and not self._queue.is_empty()
        return bool(self._rules) and not has_replies and self._every is None and not self._echoes
