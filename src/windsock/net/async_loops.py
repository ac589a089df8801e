"""The event loop of asyncio or trio in this thread: which one runs, and what windsock needs of it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from importlib import import_module
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from windsock.errors import UsageError
from windsock.net.system import threading
from windsock.net.wakeup import Wakeup

__all__ = ["AsyncLoop", "BlocksLoop", "Ready", "call_in_thread", "loop_here", "loop_of", "running_loop"]

T = TypeVar("T")
Ready: TypeAlias = tuple[int, int]
"""A descriptor, and one event of poll(2) to wait for."""


class AsyncLoop(Protocol):
    """A module that waits in one library's event loop. Times are those of the loop's clock, in seconds."""

    def now(self) -> float:
        """Return the time."""
        ...

    def is_real(self) -> bool:
        """Return whether the loop's clock is the real one."""
        ...

    def wait_ready(self, wanted: Sequence[Ready], until: float) -> Awaitable[bool]:
        """Wait until one of the descriptors is ready; return False if none was by the time `until`."""
        ...

    def wait_event(self, event: Any, until: float) -> Awaitable[bool] | None:
        """Wait for an event of this library until a time, and return False; None if it is no such event."""
        ...

    def checkpoint(self) -> Awaitable[object]:
        """Let other tasks run, and raise if this one is cancelled."""
        ...

    def wait_shielded(self, descriptor: int) -> Awaitable[object]:
        """Wait until the descriptor is readable, and only then raise if this task was cancelled meanwhile."""
        ...


class BlocksLoop(UsageError):
    """A call would block the event loop of its own thread. `call` is the call, `loop` is "asyncio" or "trio".

    `instead` is what to write.
    """

    def __init__(self, call: str, loop: str, instead: str) -> None:
        self.call = call
        self.loop = loop
        self.instead = instead
        super().__init__(
            f"{call}: this blocks the {loop} loop that runs in this thread, and with it every client in the loop; "
            f"write: {instead}"
        )

    def __reduce__(self) -> tuple[type[BlocksLoop], tuple[str, str, str]]:
        return type(self), (self.call, self.loop, self.instead)


def running_loop() -> str:
    """Return the library whose event loop runs in this thread: "asyncio" or "trio"; "" if none does."""
    modules: dict[str, Any] = sys.modules
    with suppress(KeyError, AttributeError, RuntimeError):
        modules["trio"].lowlevel.current_task()
        return "trio"
    with suppress(KeyError, AttributeError, RuntimeError):
        modules["asyncio"].get_running_loop()
        return "asyncio"
    return ""


def loop_of(name: str) -> AsyncLoop:
    """Return the functions for a library."""
    return cast(AsyncLoop, import_module(f"windsock.net.{name}_loop"))


def loop_here(call: str) -> AsyncLoop:
    """Return the functions for the loop that runs in this thread. Raises UsageError, naming the call, without one."""
    name = running_loop()
    if not name:
        raise UsageError(f"{call}: expected an event loop of asyncio or trio, and none runs in this thread")
    return loop_of(name)


async def call_in_thread(call: str, function: Callable[[], T]) -> T:
    """Call a function in a thread of its own; wait for its end, also if this task is cancelled meanwhile.

    Raises UsageError, which names the call, if no loop of asyncio or trio runs.
    """
    __tracebackhide__ = True
    loop = loop_here(call)
    returned: list[T] = []
    raised: list[BaseException] = []
    is_over = Wakeup()

    def run() -> None:
        try:
            returned.append(function())
        except BaseException as error:
            raised.append(error)
        finally:
            is_over.call()

    thread = threading.Thread(target=copy_context().run, args=(run,), name=f"windsock {call}", daemon=True)
    thread.start()
    try:
        await loop.wait_shielded(is_over.fileno())
    finally:
        thread.join()
        is_over.close()
    for error in raised:
        raise error
    return returned[0]
