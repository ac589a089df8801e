"""The keywords of `on()` as one value: which of the messages that match a rule is for, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from windsock.errors import UsageError
from windsock.fakes.states import checked_states
from windsock.scripts.repr import code_of

__all__ = ["Connections", "RuleOptions"]

Connections: TypeAlias = int | slice | range | Callable[[int], object]
"""Connections by index from 0: one, a slice, or those that a function accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOptions:
    """How many matches a rule skips, the connections and the states that it is for, and whether it comes first."""

    after: int = 0
    connections: Connections | None = None
    first: bool = False
    """Whether it was added before the existing rules."""
    states: tuple[str, ...] = ()
    """None: it is for all."""

    @classmethod
    def checked(
        cls,
        *,
        after: Any,
        first: bool,
        connections: Connections | None = None,
        state: str | Sequence[str] | None = None,
    ) -> Self:
        """Return the options. Raises UsageError for invalid values."""
        if not isinstance(after, int) or isinstance(after, bool) or after < 0:
            raise UsageError(f"on(after={after!r}): expected the number of matches to skip, 0 or more")
        _check_connections(connections)
        return cls(after=after, connections=connections, first=first, states=checked_states(state))

    def has_connection(self, index: int) -> bool:
        """Return whether the rule is for this connection."""
        which = self.connections
        if isinstance(which, int):
            return which == index
        if isinstance(which, slice):
            return index in range(*which.indices(index + 1))
        if isinstance(which, range):
            return index in which
        return which is None or bool(which(index))

    def code(self) -> list[str]:
        """Return the keywords that differ from the defaults, as a test would write them."""
        words = []
        if self.after:
            words.append(f"after={self.after}")
        if self.connections is not None:
            words.append(f"connections={code_of(self.connections)}")
        if self.first:
            words.append("first=True")
        if self.states:
            words.append(f"state={(self.states[0] if len(self.states) == 1 else self.states)!r}")
        return words


def _check_connections(which: Any) -> None:
    """Raise UsageError for an invalid `connections=`."""
    is_number = isinstance(which, int) and not isinstance(which, bool) and which >= 0
    if which is None or is_number or isinstance(which, range) or callable(which):
        return
    if not isinstance(which, slice):
        raise UsageError(
            f"on(connections={which!r}): expected an index from 0, a slice of them, or a function of the index"
        )
    if not all(each is None or (isinstance(each, int) and each >= 0) for each in (which.start, which.stop, which.step)):
        raise UsageError(
            f"on(connections={which!r}): the number of connections is unknown; expected no negative numbers"
        )
