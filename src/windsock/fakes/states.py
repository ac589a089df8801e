"""Named states of a fake: each connection, each client of datagrams, or the server as a whole is in one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from windsock.errors import UsageError
from windsock.fakes.replies import Answer
from windsock.fakes.state_cells import StateCells

__all__ = ["Origin", "Scope", "States", "checked_states", "checked_then"]

Scope: TypeAlias = Literal["connection", "server"]
SCOPES = ("connection", "server")
START = "start"
"""The name of the first state, unless a test names it otherwise."""

Result = TypeVar("Result")


class _Rule(Protocol):
    """A rule, as its states see it."""

    def take(self) -> int | None: ...
    def answer(self, turn: int) -> Answer | None: ...


class Origin(NamedTuple):
    """Where a message comes from: the index of its connection, and the state in which it comes.

    `client` is the address of a datagram's client. `state` is None for a fake without states. `skipped` are the rules
    that have counted the message, and left it to later ones.
    """

    connection: int
    client: object = None
    state: str | None = None
    skipped: set[_Rule] | None = None


class StateChanged(Exception):
    """The state was changed by another message while a rule was looked for; the rules have to be asked again."""


class States:
    """The states that rules name, and the one that each connection, or the server, is in.

    `noted` is called with the index of a connection and the name of its new state.
    """

    def __init__(
        self, *, is_datagram: bool, across_processes: bool, noted: Callable[[int, str], object] | None
    ) -> None:
        self.start: str = START
        self.scope: Scope = "connection"
        self.are_used: bool = False
        """Whether a rule names a state."""
        self._is_chosen = False
        self._is_datagram = is_datagram
        self._across_processes = across_processes
        self._noted = noted
        self._names = [START]
        self._cells: StateCells | None = None
        self._outer: list[tuple[str, Scope, bool, bool, tuple[str, ...]]] = []

    @property
    def whose(self) -> str:
        """What a state belongs to, in one word."""
        return "client" if self._is_datagram and self.scope == "connection" else self.scope

    def choose(self, start: Any, per: Any) -> None:
        """Name the first state, and say what has a state. Raises UsageError, also if a rule names states already."""
        if per not in SCOPES:
            raise UsageError(f"states(per={per!r}): expected 'connection' or 'server'")
        _check_name("states", "start", start)
        if self._is_chosen or self.are_used:
            raise UsageError(
                f"states(start={start!r}, per={per!r}): call it once, before the first rule that names a state"
            )
        self._is_chosen = True
        self.start, self.scope = start, per
        self._names = [start]

    def use(self, *names: str) -> None:
        """Get ready for rules that name these states, before the next fork."""
        self._names += [each for each in names if each not in self._names]
        if self._cells is None:
            self._cells = StateCells(across_processes=self._across_processes)
        self.are_used = True

    def with_state(self, origin: Origin, function: Callable[[Origin], Result]) -> Result:
        """Call a function with the origin in its present state; again if another message has changed the state."""
        skipped: set[_Rule] = set()
        while True:
            state = self._name(self._now(origin))
            try:
                return function(Origin(origin.connection, origin.client, state, skipped))
            except StateChanged:
                continue

    def take(self, rule: _Rule, origin: Origin) -> int | None:
        """Count a match of a rule, as Rule.take, and go to the state that its reply leads to.

        Raises StateChanged if the state of the origin has changed meanwhile; then nothing is counted.
        """
        turn: int | None = None
        led_to: str | None = None

        def decide() -> int | None:
            nonlocal turn, led_to
            turn = rule.take()
            answer = None if turn is None else rule.answer(turn)
            led_to = None if answer is None else answer.then
            return None if led_to is None else self._names.index(led_to)

        assert self._cells is not None
        assert origin.state is not None
        assert origin.skipped is not None
        if rule in origin.skipped:
            return None
        if not self._cells.change(self._key(origin), self._number(origin.state), decide):
            raise StateChanged
        if turn is None:
            origin.skipped.add(rule)
        if self._noted is not None and led_to not in (None, origin.state):
            self._noted(origin.connection, str(led_to))
        return turn

    def begin_part(self, carried: Iterable[int]) -> None:
        """Begin anew, except that open connections, which are `carried` over, each stay in their state."""
        self._outer.append((self.start, self.scope, self.are_used, self._is_chosen, tuple(self._names)))
        self._forget_all_but(carried)

    def end_part(self) -> None:
        """Forget the states that rules have named since `begin_part()`."""
        self.start, self.scope, self.are_used, self._is_chosen, names = self._outer.pop()
        self._names = [*names]
        if not self.are_used:
            self._forget_all_but(())

    def _forget_all_but(self, connections: Iterable[int]) -> None:
        if self._cells is not None:
            is_per_connection = self.scope == "connection" and not self._is_datagram
            self._cells.keep(connections if is_per_connection else ())

    def of_server(self) -> str:
        """Return the state that the server is in."""
        return self._name(self._now(Origin(-1)))

    def close(self) -> None:
        """Release the memory; states can still be read."""
        if self._cells is not None:
            self._cells.close()

    def _now(self, origin: Origin) -> int:
        return 0 if self._cells is None else self._cells.now(self._key(origin))

    def _key(self, origin: Origin) -> object:
        if self.scope == "server":
            return "server"
        return origin.client if self._is_datagram else origin.connection

    def _name(self, number: int) -> str:
        """Return the name of a state; a forked child does not know those of later rules."""
        return self._names[number] if number < len(self._names) else UNKNOWN + str(number)

    def _number(self, name: str) -> int:
        return int(name.removeprefix(UNKNOWN)) if name.startswith(UNKNOWN) else self._names.index(name)


UNKNOWN = "a state of a later rule, number "


def checked_states(state: Any) -> tuple[str, ...]:
    """Return the names of `state=`: none, one, or several. Raises UsageError for anything else."""
    if state is None:
        return ()
    names = (state,) if isinstance(state, str) else state
    if not isinstance(names, tuple | list | set | frozenset) or not names:
        raise UsageError(f"on(state={state!r}): expected the name of a state, or several of them")
    for each in names:
        _check_name("on", "state", each)
    return tuple(dict.fromkeys(sorted(names) if isinstance(names, set | frozenset) else names))


def checked_then(method: str, then: Any) -> str | None:
    """Return the name of the state that a reply leads to. Raises UsageError if it is not a name."""
    if then is not None:
        _check_name(method, "then", then)
    return then  # type: ignore[no-any-return]  # checked above


def _check_name(method: str, keyword: str, name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"{method}({keyword}={name!r}): expected the name of a state, such as 'logged in'")
