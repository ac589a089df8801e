"""A simulated world: `simulated()` enters one, `World` is what a test has of it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.errors import StillRunning, UsageError
from windsock.faults.options import plans_from
from windsock.net import virtual
from windsock.net.blocks import Block
from windsock.net.collector import resting
from windsock.scripts.checks import check_seconds
from windsock.simulation import interpreter, live, pinning, skin
from windsock.simulation.baton import Baton
from windsock.simulation.ending import DRAIN, end_threads
from windsock.simulation.executors import Executors
from windsock.simulation.files import Files
from windsock.simulation.hosts import WorldHost
from windsock.simulation.interleaving import Interleaving, Points
from windsock.simulation.network import Host, Network
from windsock.simulation.network.links.link import Link
from windsock.simulation.schedule import Schedule
from windsock.simulation.skin.clock import START
from windsock.simulation.skin.loops import IdleWorkers
from windsock.simulation.skin.randomness import Randomness
from windsock.simulation.socket_files import RealFiles
from windsock.simulation.tasks import Task

if TYPE_CHECKING:
    from windsock.faults import FaultHandle

__all__ = ["World", "simulated"]

LARGEST_SEED = 2**64 - 1
TICK = 2e-10
"""Seconds by which what happens after a mark is later: the end of the next wait is exact again."""


class World:
    """A clock and a network of their own, and the threads that live by them.

    `seed` decides the order of threads. `baton` and `schedule` are for windsock itself.
    """

    def __init__(self, seed: int, *, most_steps: int, is_traced: bool, interleaving: Interleaving | None) -> None:
        self.seed = seed
        self.schedule: Schedule = Schedule(seed, is_traced=is_traced, interleaving=interleaving)
        self.baton: Baton = Baton(self.schedule, seed, most_steps)
        self.baton.world = self
        self._socket_files = RealFiles()
        self.network: Network = Network(self.schedule, self._socket_files, seed=seed)
        self.files: Files = Files(self.baton.notify)
        self.readings: dict[float, tuple[float, float]] = {}
        """The last reading of each clock, by where it began: the time of the world, and what was shown."""
        self.randomness: Randomness = Randomness(seed)
        self.executors: Executors = Executors()
        self._numbers = interpreter.ThreadNumbers()
        self._workers = IdleWorkers()
        self._processors = pinning.processors()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} seed={self.seed} now={self.now:.6g}>"

    @property
    def now(self) -> float:
        """Virtual seconds since the world began, to the nanosecond."""
        return round(self.schedule.seconds, 9)

    @property
    def fault_handles(self) -> tuple[FaultHandle, ...]:
        """The handles of all faults that were ever installed on a link of the world."""
        return self.network.links.fault_handles

    @property
    def trace(self) -> list[tuple[float, str]]:
        """Which thread ran when: a time and a name for each turn. Empty unless the world was made with trace=True."""
        return list(self.schedule.trace or ())

    def advance(self, seconds: float) -> None:
        """Let virtual seconds pass, in which the other threads run.

        Raises UsageError for a negative number, and in a thread that is not of the world.
        """
        check_seconds(f"world.advance({seconds!r})", seconds, or_none=True)
        task = self._task("advance")
        self.baton.park(task, f"advance({seconds:.6g})", seconds)

    def outside(self) -> Block[None]:
        """Make the calling thread's calls for real within a block, while the world and its clock stand still."""
        return Block("outside()", self._outside())

    @contextmanager
    def _outside(self) -> Iterator[None]:
        task = self._task("outside")
        del live.tasks[task.ident]
        pinning.pin(self._processors)
        try:
            yield
        finally:
            pinning.pin_to_one(self._processors)
            live.tasks[task.ident] = task

    def host(self, name: str) -> WorldHost:
        """Return the host of a name, which is added if it is not there; `with host:` makes sockets of it.

        Raises UsageError for a name that is empty or no text.
        """
        if not name or not isinstance(name, str):
            raise UsageError(f"world.host({name!r}): expected a name, such as 'db.internal'")
        return WorldHost(self.network.host(name))

    def link(self, first: str, second: str) -> Link:
        """Return the link between two hosts, by their names: `set(latency=..., bandwidth=...)`, and its faults."""
        hosts = [self.network.host(self.host(name).name) for name in (first, second)]
        return self.network.link(*hosts)

    def mark(self) -> float:
        """Return a moment between what has happened and what will, by the monotonic clock. For windsock itself.

        From a thread of the world it takes less than `now` shows; from another one it is just the time.
        """
        before = self.schedule.seconds
        if live.current() is not None:
            self.schedule.seconds += TICK
        return START + (before + self.schedule.seconds) / 2

    def host_of(self, task: Task) -> Host:
        """Return the host that a task's sockets belong to. For windsock itself."""
        host: Host | None = task.host
        return self.network.localhost if host is None else host

    def name_of(self, address: str) -> str:
        """Return the name of the host that has an address. For windsock itself."""
        is_loopback = self.network.localhost.is_own(address)
        return "localhost" if is_loopback else self.network.host_at(address).name

    def _task(self, method: str) -> Task:
        task = live.current()
        if task is None or task.baton is not self.baton:
            raise UsageError(f"world.{method}() was called by a thread that is not of this world, or after its end")
        return task

    def check(self, failure: BaseException | None = None) -> None:
        """Raise the Deadlock, Livelock or Standstill that a client has caught as it catches other errors.

        If the test fails with another `failure`, that gets a note. For windsock itself.
        """
        swallowed = self.baton.raised.take_swallowed(failure)
        if swallowed is None:
            return
        if failure is None:
            raise swallowed
        failure.add_note("\n".join([f"earlier: {swallowed}", *swallowed.__notes__]))

    def begin(self) -> None:
        """Make this world the live one. For windsock itself."""
        live.set_world(self)
        virtual.set_live(is_live=True, has_deadlock=self.baton.has_deadlock)
        skin.install()
        self.randomness.begin()
        self._numbers.begin()
        self.executors.begin()
        self._workers.begin()
        pinning.pin_to_one(self._processors)

    def end(self) -> list[str]:
        """End the world; return the names of its threads that would not end. For windsock itself."""
        steps = (
            partial(virtual.set_live, is_live=False),
            live.leave,
            self._workers.end,
            self.executors.end,
            self._numbers.end,
            self.randomness.end,
            skin.remove,
            self._socket_files.close,
            partial(pinning.pin, self._processors),
        )
        with ExitStack() as stack:  # each of them, even if another one fails
            for each in reversed(steps):
                stack.callback(each)
            return end_threads(self.baton)


@contextmanager
def simulated(
    *,
    seed: int | None = None,
    interleaving: Points | None = None,
    faults: Iterable[Any] = (),
    most_steps: int = 1_000_000,
    trace: bool = False,
) -> Iterator[World]:
    """Run a block in a simulated world: its sockets, its waits and its clock are virtual, for all threads it starts.

    The same `seed` gives the same order of threads; without one it is drawn, and shown by a deadlock's report. With an
    `interleaving` threads run until they wait, except at its points, of which each is a pair of a step and a thread:
    a value of `windsock.strategies.interleavings()`; then the seed, 0 by default, decides the rest. `faults`
    act on each link of the world, that of localhost to itself included, and need not fire: a list as for a server's
    `faults=`, or a weather of `windsock.strategies`; connections are numbered on each link by themselves. A world
    whose threads hand over `most_steps` times without any time passing fails with Livelock. With `trace=True`
    `World.trace` keeps who ran when.

    Raises Unsupported where the interpreter does not allow it, UsageError for a wrong value or a world in a world,
    Deadlock in the block if all threads wait and nothing is due, or at its end if it was caught along with all
    other errors, and StillRunning at the end for threads that do not end.
    """
    points = None if interleaving is None else Interleaving(interleaving)
    world = _new_world(seed if seed is not None or points is None else 0, most_steps, trace, points)
    world.network.links.install(plans_from(faults))
    world.link("localhost", "localhost")  # where a fault that acts on no link is refused
    failure: BaseException | None = None
    with resting():  # when the collector runs depends on what the process did before
        try:
            world.begin()
            yield world
            world.check()
        except BaseException as error:
            failure = error
            world.check(failure)
            raise
        finally:
            _report(world.end(), failure)


def _new_world(seed: Any, most_steps: Any, trace: bool, interleaving: Interleaving | None) -> World:
    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    if not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"simulated(seed={seed!r}): expected a whole number from 0 to 2**64 - 1")
    if not isinstance(most_steps, int) or most_steps < 1:
        raise UsageError(f"simulated(most_steps={most_steps!r}): expected a whole number of steps, 1 or more")
    if live.world() is not None:
        raise UsageError("simulated(): a world is live already, and there can be only one; leave it first")
    skin.check()
    Executors.check()
    return World(seed, most_steps=most_steps, is_traced=trace, interleaving=interleaving)


def _report(left: list[str], failure: BaseException | None) -> None:
    """Raise StillRunning for threads that would not end, or add it to what the block raised."""
    if not left:
        return
    error = StillRunning("the threads of the simulated world", DRAIN, left)
    if failure is None:
        raise error
    failure.add_note(str(error))
