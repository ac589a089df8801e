"""Orders of a test to the forked children of a server: a page of shared memory, and a signal."""

from __future__ import annotations

import contextlib
import errno
import mmap
import signal
import struct
from typing import Any, NamedTuple

from windsock.harness import acts
from windsock.net.system import monotonic, sleep, threading
from windsock.recording import Connection

__all__ = ["SIGNAL", "Answer", "Mailbox"]

SIGNAL = signal.SIGCHLD
"""The signal that tells a child to look. By default it is ignored, as in a child that runs another program."""
ORDER = struct.Struct("=IIBdI")
"""The number of an order, the connection, what to do, until when (monotonic seconds), and the size of the data."""
ANSWER = struct.Struct("=III")
"""The number of the order, how many bytes were sent, and the number of the error."""
DATA = ORDER.size + ANSWER.size
KINDS = ("send", "half_close", "close", "reset")


class Answer(NamedTuple):
    """What a child has done: the bytes that it has sent, and the number of the error, 0 for none."""

    sent: int
    error: int


class Mailbox:
    """One order at a time. The parent makes it before it forks."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, DATA + acts.BLOCK)
        self.lock = threading.Lock()
        """Held by the thread that has an order under way."""
        self._number = 0

    def write(self, connection: int, kind: str, until: float, data: bytes = b"") -> None:
        """Write an order for the child that handles a connection; the lock is held."""
        self._number += 1
        self._page[DATA : DATA + len(data)] = data
        ORDER.pack_into(self._page, 0, self._number, connection, KINDS.index(kind), until, len(data))

    def answer(self) -> Answer | None:
        """Return the answer to the latest order; None while there is none."""
        number, sent, error = ANSWER.unpack_from(self._page, ORDER.size)
        return Answer(sent, error) if number == self._number else None

    def wait(self, seconds: float) -> None:
        """Give the child a moment."""
        sleep(seconds)

    def obey(self, request: Any, connection: Connection) -> None:
        """Have this child, which has just been forked for a request, carry out orders from now on."""

        def look(*_: object) -> None:
            number, index, kind, until, size = ORDER.unpack_from(self._page, 0)
            if index == connection.index and number != ANSWER.unpack_from(self._page, ORDER.size)[0]:
                data = self._page[DATA : DATA + size]
                ANSWER.pack_into(self._page, ORDER.size, number, *_carry_out(request, connection, kind, until, data))

        with contextlib.suppress(ValueError):  # not in the main thread: it obeys nothing
            signal.signal(SIGNAL, look)


def _carry_out(request: Any, connection: Connection, kind: int, until: float, data: bytes) -> Answer:
    sent = 0
    try:
        if KINDS[kind] != "send":
            acts.end(request, connection, KINDS[kind])
        while sent < len(data):
            sent += acts.send_now(request, connection, data[sent:])
            if sent < len(data):
                if monotonic() >= until:
                    break
                acts.wait_writable(request.fileno(), until)
    except (OSError, ValueError) as error:
        return Answer(sent, getattr(error, "errno", None) or errno.EBADF)
    return Answer(sent, 0)
