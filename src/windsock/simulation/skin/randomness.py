"""Random numbers of a world: drawn from its seed, so that a run can be repeated."""

from __future__ import annotations

import os as standard  # the standard library's own: its function is replaced
import random
from typing import Any

from windsock.simulation import live
from windsock.simulation.interpreter import shared_generator
from windsock.simulation.live import current
from windsock.simulation.skin import loops

__all__ = ["NAMES", "Randomness"]

_urandom = standard.urandom


def urandom(size: int, /) -> bytes:
    """Stand in for os.urandom(), which uuid4() and secrets draw from; `random.Random()` asks the kernel."""
    world = live.world()
    return _urandom(size) if current() is None or world is None else world.randomness.bytes(size)


class Randomness:
    """The random bytes of one world, and the state of shared generators, put back at its end."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._bytes = random.Random(seed ^ 0x5EED)
        self._before: list[tuple[Any, Any]] = []

    def bytes(self, size: int) -> bytes:
        """Return the next random bytes."""
        return self._bytes.randbytes(size)

    def begin(self) -> None:
        """Seed the generator of `random`, and that of trio, which orders its tasks at random."""
        for generator in _shared_generators():
            self._before.append((generator, generator.getstate()))
            generator.seed(self._seed)

    def end(self) -> None:
        """Put the state of the generators back."""
        for generator, state in self._before:
            generator.setstate(state)
        self._before.clear()


def _shared_generators() -> list[Any]:
    return [each for each in (shared_generator(), loops.generator()) if each is not None]


NAMES: dict[Any, Any] = {_urandom: urandom}
