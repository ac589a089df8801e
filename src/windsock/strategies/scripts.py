"""Scripts of peers as a strategy: a good script, in pieces, slower, or ended early."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from windsock.errors import UsageError
from windsock.faults.checks import seconds
from windsock.scripts import Script
from windsock.scripts.script import ENDS
from windsock.scripts.steps import Close, HalfClose, Pause, Reset, Send, Step
from windsock.strategies.cuts import pieces
from windsock.strategies.engine import st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["scripts"]

ENDINGS = (HalfClose(), Close(), Reset())
"""How a peer leaves a conversation in the middle, from mild to harsh."""


def scripts(script: Script, *, slowest: float = 0.05) -> SearchStrategy[Script]:
    """Draw what a peer may do in place of a script: send a message in pieces, pause, or end too early.

    The smallest example is the script itself. Pieces of a message, and a pause, take up to `slowest` seconds. A script
    that ends early does so by half_close(), close() or reset(), in front of a step or within a message that it sends.
    Raises UsageError for a script without steps.
    """
    if not getattr(script, "steps", ()):
        raise UsageError(f"scripts({script!r}): expected a Script with steps")
    seconds("scripts", above=True, slowest=slowest)
    early = list(_beginnings(script))[::-1]
    variants = [
        *(_in_pieces(script, place, data, slowest) for place, data in _messages(script)),
        st.sampled_from(range(len(script))).map(lambda place: _replaced(script, place, Pause(slowest), stays=True)),
        st.builds(lambda before, end: Script(*before, end), st.sampled_from(early), st.sampled_from(ENDINGS)),
    ]
    return st.one_of(st.just(script), *variants)


def _messages(script: Script) -> Iterator[tuple[int, bytes]]:
    """Yield the places of the steps that send bytes that can be cut, and the bytes."""
    for place, step in enumerate(script):
        if isinstance(step, Send) and isinstance(step.data, bytes) and len(step.data) > 1:
            yield place, step.data


def _in_pieces(script: Script, place: int, data: bytes, slowest: float) -> SearchStrategy[Script]:
    def in_pieces(sizes: tuple[int, ...]) -> Script:
        return _replaced(script, place, Send(data, pieces=sizes, every=round(slowest / len(sizes), 4)))

    return pieces(len(data), least=1).map(in_pieces)


def _beginnings(script: Script) -> Iterator[tuple[Step, ...]]:
    """Yield what a peer may have done when it ends, the shortest first."""
    messages = dict(_messages(script))
    for place, step in enumerate(script):
        before = script.steps[:place]
        yield before
        if isinstance(step, ENDS):
            return
        data = messages.get(place, b"")
        yield from ((*before, Send(data[:size])) for size in range(1, len(data)))


def _replaced(script: Script, place: int, step: Step, *, stays: bool = False) -> Script:
    """Return the script with another step in the place of one, or in front of it."""
    return Script(*script.steps[:place], step, *script.steps[place + (not stays) :])
