"""What a fake can reply: its rules, the queue, the reply to every message, the echo; in parts, one for each test."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from windsock.fakes.counters import Counters
from windsock.fakes.errors import UnreachableRule
from windsock.fakes.replies import Answer
from windsock.fakes.reply_queue import Queue
from windsock.fakes.rule_options import RuleOptions
from windsock.fakes.rules import Rule
from windsock.fakes.state_table import table, unreachable
from windsock.fakes.states import States

__all__ = ["FakeReplies"]


@dataclass(frozen=True, slots=True)
class SharedAnswers:
    """What there was before the part of one test began; each part begins with it, and need not use it."""

    rules: tuple[Rule, ...] = ()
    queue: Queue | None = None
    replies: tuple[tuple[Answer, int], ...] = ()
    """Those of the queue."""
    every: Answer | None = None
    echoes: bool = False
    plays_too: bool = False
    counters: int = 0
    """The number of counters that they have."""


NOTHING_SHARED = SharedAnswers()


class FakeReplies:
    """The rules and replies of a fake, without scripts of whole connections. Changes are made under a lock.

    `plays_too` means that the fake has scripts for connections, so that a message without a reply is unexpected.
    `noted` is called with the index of a connection and the state that a reply leads to.
    """

    def __init__(self, *, forks: bool, is_datagram: bool, noted: Callable[[int, str], object] | None = None) -> None:
        self._forks = forks
        self._is_datagram = is_datagram
        self.plays_too: bool = False
        self.rules: list[Rule] = []
        """The rules, in the order in which they are tried."""
        self.queue: Queue | None = None
        self.every: Answer | None = None
        self.echoes: bool = False
        self._counters: Counters | None = None
        self.states: States = States(is_datagram=is_datagram, across_processes=forks, noted=noted)
        self._shared = NOTHING_SHARED
        self._outer: list[SharedAnswers] = []
        self._led_to: set[Rule] = set()
        """The shared rules that messages could reach in a part."""

    def __bool__(self) -> bool:
        return bool(self.rules or self.queue or self.every or self.echoes)

    def has_only_rules(self) -> bool:
        """Return whether no more than rules would answer a message."""
        has_replies = self.queue is not None and not self.queue.is_empty()
        return bool(self.rules) and not has_replies and self.every is None and not self.echoes

    # --- adding

    def rule(self, pattern: object, options: RuleOptions) -> Rule:
        """Add a rule, after the existing ones but before shared ones, or before all of them if it comes first."""
        rule = Rule(pattern, options, self._counters_of_rules(), self.states, is_datagram=self._is_datagram)
        own, shared = self.rules, [*self._shared.rules]
        if shared:
            own = own[: len(own) - len(shared)]
        self.rules = [rule, *own, *shared] if options.first else [*own, rule, *shared]
        return rule

    def add(self, answer: Answer, times: int | None) -> None:
        """Queue a reply `times` times; None: for every message that nothing else answers."""
        if times is None:
            self.every = answer
            return
        if self.queue is None:
            self.queue = Queue(self._counters_of_rules())
        self.queue.add(answer, times)

    def echo(self) -> None:
        """Answer every other message with itself."""
        self.echoes = True

    def begin_part(self, carried: Collection[int]) -> None:
        """Share the answers there are between all parts: each begins with them, as if nothing was answered before.

        `carried` are the indices of the connections that are open; each stays in its state.
        """
        counters, queue = self._counters, self.queue
        self._outer.append(self._shared)
        self._shared = SharedAnswers(
            tuple(self.rules),
            queue,
            () if queue is None else tuple(queue.replies),
            self.every,
            self.echoes,
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
        self.rules, self.every, self.echoes = list(shared.rules), shared.every, shared.echoes
        self.plays_too = shared.plays_too
        self.queue = shared.queue
        if self.queue is not None:
            self.queue.reset(list(shared.replies))
        if self._counters is not None and is_quiet:
            self._counters.drop(shared.counters)
        self.states.end_part()
        outer = self._outer.pop()
        if self._outer:
            self._shared = outer

    def _counters_of_rules(self) -> Counters:
        if self._counters is None:
            self._counters = Counters(across_processes=self._forks)
        return self._counters

    def close(self) -> None:
        """Close the descriptors."""
        self.states.close()
        if self._counters is not None:
            self._counters.close()

    # --- what was not used

    def unmet_rules(self) -> dict[Rule, str]:
        """Return the rules that were not used enough, with descriptions. Unreachable ones are errors of their own."""
        lost, shared = self._unreachable(), self._shared.rules
        unmet = {rule: rule.unmet() for rule in self.rules if rule not in lost and rule not in shared}
        return {rule: words for rule, words in unmet.items() if words is not None}

    def unmet_queued(self) -> list[str]:
        """Return descriptions of the queued replies that were not used."""
        return [] if self.queue is None else self.queue.unmet(len(self._shared.replies))

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
        return dict(unreachable(self.rules, self.states.start)) if self.states.are_used else {}

    def state_table(self) -> list[str]:
        """Return the rules with their states, as a table; nothing if no rule names a state."""
        return table(self.rules, self.states) if self.states.are_used else []
