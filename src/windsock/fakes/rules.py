"""Rules of a fake: patterns with their replies, and the states that they are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self, Unpack

from windsock.errors import UsageError
from windsock.fakes import patterns
from windsock.fakes.answers import Answers
from windsock.fakes.counters import Counters
from windsock.fakes.replies import UNSAID, Answer, Delivery, HowToEnd, Replied, checked_times, made_answer
from windsock.fakes.reply_queue import in_times
from windsock.fakes.rule_options import RuleOptions
from windsock.fakes.states import Origin, States, checked_then
from windsock.protocols.values import message_in
from windsock.recording import preview
from windsock.redaction import masked
from windsock.scripts import Script
from windsock.scripts.actions import StepData

__all__ = ["HowToEnd", "Rule"]


class Rule:
    """Messages that match a pattern, and the replies to them: to the first one, the second one, and so on.

    The matches that its options skip are left to later rules. `states` are those of its fake.
    """

    def __init__(
        self, pattern: object, options: RuleOptions, counters: Counters, states: States, *, is_datagram: bool
    ) -> None:
        self.pattern: patterns.Pattern = patterns.checked(pattern)
        self._value = message_in(pattern) if isinstance(self.pattern, bytes) else None
        """The message of a protocol that the pattern was made from, if any."""
        self.options = options
        self._states = states
        self._answers = Answers()
        self._is_optional = False
        self._stays = False
        """Whether its last reply is for all later messages."""
        self._counters = counters
        self._counter = counters.add()
        self._is_datagram = is_datagram
        if options.states:
            states.use(*options.states)

    def __repr__(self) -> str:
        return self.code

    # --- replies

    def reply(
        self,
        data: Replied,
        *,
        times: int | None = UNSAID,
        then: str | None = None,
        **delivery: Unpack[Delivery],
    ) -> Self:
        """Answer such messages with these bytes: each, or `times` of them, after which the rule is used up.

        Or with a binary file, from its position on; several runs of bytes in a list or a generator (with datagrams,
        each is one); a Repeat; a Template, which is filled with the groups of the rule's regular expression.

        After `delay` seconds; in `pieces` (their number or their sizes), one every `every` seconds; only the first
        `truncate` bytes; and then `end` the connection: "half_close", "close" or "reset"; or with "start_tls" the
        unencrypted part of it. A datagram comes from `source`, if given: a loopback host, (host, port), or another
        datagram server in the test. A message of a protocol is sent as its bytes; an answer, such as `rpc.success()`,
        depends on the message that it answers.
        `then` is the state that the next message meets.
        """
        self._check_is_first("reply")
        answer = made_answer("reply", data, delivery, self.pattern)
        return self._add("reply", answer, times, then)

    def reply_with(
        self,
        function: Callable[..., Replied | Script | None],
        *,
        times: int | None = UNSAID,
        then: str | None = None,
        **delivery: Unpack[Delivery],
    ) -> Self:
        """Answer with the result of a function of the message; with nothing if that is None.

        A function with parameters named `message`, `match` or `conversation` gets these: the `re.Match` of the rule's
        regular expression, and a Conversation. The result is anything that `reply()` takes, or a script.
        """
        self._check_is_first("reply_with")
        answer = made_answer("reply_with", function, delivery, self.pattern)
        return self._add("reply_with", answer, times, then)

    def play(self, script: Script, *, times: int | None = UNSAID, then: str | None = None) -> Self:
        """Answer with a script, which controls the connection while it is played."""
        self._check_is_first("play")
        answer = made_answer("play", script, {}, self.pattern)
        return self._add("play", answer, times, then)

    def forward(self, address: Any, *, reply: StepData = b"", first: StepData = b"") -> Self:
        """Answer with `reply`, then hand the connection on to `address`: `play(Script().send(reply).forward(address))`.

        The address gets what the client sends after the message; `first`, such as `lambda message: message`, before it.
        """
        script = Script() if reply == b"" else Script().send(reply)
        return self.play(script.forward(address, first=first))

    def then(
        self,
        what: Replied | Callable[..., Replied | Script | None] | Script,
        *,
        times: int | None = UNSAID,
        then: str | None = None,
        **delivery: Unpack[Delivery],
    ) -> Self:
        """Answer the next such message with bytes, the result of a function of the message, or a script.

        The previous reply is sent once, or its `times`. The last one stays, unless it has `times`.
        """
        if not self._answers:
            raise UsageError(f"{self.code}.then(...): there is nothing before it; call reply(...) first")
        if self._stays:
            raise UsageError(
                f"{self.code}.then(...): with times=None, the reply before it answers all later messages; "
                "leave times= out, or pass a number"
            )
        answer = made_answer("then", what, delivery, self.pattern)
        return self._add("then", answer, times, then)

    def optional(self) -> Self:
        """Do not fail if messages that match never come, or fewer than there are replies."""
        self._is_optional = True
        return self

    def _add(self, method: str, answer: Answer, times: int | None, then: str | None) -> Self:
        stays = times is None
        if times is UNSAID:
            times = None
        checked_times(method, times)
        answer.check(method, is_datagram=self._is_datagram)
        if checked_then(method, then) is not None:
            self._states.use(str(then))
        self._answers.add(replace(answer, then=then), times)
        self._stays = stays
        return self

    def _check_is_first(self, method: str) -> None:
        """Raise UsageError if there is a reply already, which another one would replace."""
        if self._answers:
            raise UsageError(f"{self.code}.{method}(...): it has a reply already; use .then(...) for the next one")

    # --- for the fake

    @property
    def states(self) -> tuple[str, ...]:
        """The states that it is for; none: it is for all."""
        return self.options.states

    def is_in(self, state: str | None) -> bool:
        """Return whether the rule is for messages in this state; None: the fake has no states."""
        return state is None or not self.states or state in self.states

    @property
    def leads_to(self) -> tuple[str, ...]:
        """The states that its replies lead to."""
        return self._answers.states

    def is_for(self, connection: int, state: str | None = None) -> bool:
        """Return whether the rule is for this connection, in this state; None: the fake has no states."""
        options = self.options
        if options.states and not self.is_in(state):
            return False
        return options.connections is None or options.has_connection(connection)

    @property
    def matches(self) -> int:
        """How many messages have matched so far."""
        return self._counters.taken(self._counter)

    def is_used_up(self) -> bool:
        """Return whether the rule has sent all its replies."""
        return not self.counts(self._counters.taken(self._counter))

    @property
    def most(self) -> int | None:
        """The most messages that it counts; None: no limit."""
        limit = self._answers.limit
        return None if limit is None else self.options.after + limit

    def counts(self, turn: int) -> bool:
        """Return whether it counts the match at that turn, from 0."""
        most = self.most
        return most is None or turn < most

    def is_due(self) -> bool:
        """Return whether it answers the next match."""
        return self._counters.taken(self._counter) >= self.options.after and not self.is_used_up()

    def take(self) -> int | None:
        """Count a match; return its number among those to answer, from 0, or None if it is not answered."""
        turn = self._counters.take(self._counter, self.most)
        after = self.options.after
        return None if turn is None or turn < after else turn - after

    def answer(self, turn: int) -> Answer | None:
        """Return the reply at that turn; None for nothing."""
        return self._answers.number(turn)

    def why_not(self, origin: Origin) -> str:
        """Return why a message that matches was not answered."""
        if not self.is_for(origin.connection):
            return f"matches, but not in connection #{origin.connection}"
        if not self.is_in(origin.state):
            names, whose = " or ".join(map(repr, self.states)), self._states.whose
            return f"matches, but only in state {names} (the {whose} is in {origin.state!r})"
        if not self._answers:
            return "matches, but has no reply; use .reply(...), or .reply_with(lambda message: None) for none"
        if self.is_used_up():
            count = self._answers.limit or 0
            return f"matches, but is used up after {count} time{'' if count == 1 else 's'}"
        return f"matches, but is skipped (after={self.options.after})"

    @property
    def shown_pattern(self) -> str:
        """The pattern, as a test would write it."""
        if isinstance(self.pattern, bytes):
            return preview(masked(self.pattern)) if self._value is None else repr(self._value)
        return patterns.describe(self.pattern)

    @property
    def start(self) -> str:
        """The start of the rule, as a test would write it."""
        return f"on({', '.join([self.shown_pattern, *self.options.code()])})"

    @property
    def code(self) -> str:
        """The whole rule, as a test would write it."""
        return ".".join([self.start, *self._answers.code(), *(["optional()"] if self._is_optional else [])])

    def unmet(self) -> str | None:
        """Return a description of the unused part of the rule, or None if there is none."""
        seen = self._counters.taken(self._counter)
        needed = self.options.after + self._answers.needed
        if seen >= needed or self._is_optional:
            return None
        return f"{self.code}: {'never matched' if not seen else f'matched {seen} of {in_times(needed)}'}"
