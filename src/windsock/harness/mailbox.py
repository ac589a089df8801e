"""Orders of a test to the forked children of a server: a page of shared memory, and a signal."""

from __future__ import annotations

import contextlib
import errno
import signal
import struct
from typing import Any, NamedTuple

from windsock.harness import acts
from windsock.net.system import monotonic, threading
from windsock.recording import Connection

__all__ = ["SIGNAL", "Mailbox", "OrderResult"]

SIGNAL = signal.SIGCHLD
"""The signal that tells a child to look. By default it is ignored, as in a child that runs another program."""
NUMBER = struct.Struct("=I")
ORDER = struct.Struct("=IBdI")
"""The connection, what to do, until when (monotonic seconds), and the size of the data."""
ANSWER = struct.Struct("=II")
"""How many bytes were sent, and the number of the error."""
ORDERED, ANSWERED = 0, NUMBER.size
"""Where the numbers of the latest order and of the latest answer are, which are written last..."""
AT_ORDER = 2 * NUMBER.size
AT_ANSWER = AT_ORDER + ORDER.size
DATA = AT_ANSWER + ANSWER.size
"""...and where the rest is."""
KINDS = ("send", "half_close", "close", "reset")


class OrderResult(NamedTuple):
    """What a child has done: the bytes that it has sent, and the number of the error, 0 for none."""

    sent: int
    error: int


class Mailbox:
    """One order at a time, in memory that the children share with their parent, which makes it before it forks."""

    def __init__(self, page: memoryview) -> None:
        assert len(page) >= DATA + acts.BLOCK
        self._page = page
        self.lock: threading.Lock = threading.Lock()
        """Held by the thread that has an order under way."""
        self._number = 0

    def write(self, connection: int, kind: str, until: float, data: bytes = b"") -> None:
        """Write an order for the child that handles a connection; the lock is held."""
        self._page[DATA : DATA + len(data)] = data
        ORDER.pack_into(self._page, AT_ORDER, connection, KINDS.index(kind), until, len(data))
        self._number += 1
        NUMBER.pack_into(self._page, ORDERED, self._number)

    def answer(self) -> OrderResult | None:
        """Return the answer to the latest order; None while there is none."""
        if NUMBER.unpack_from(self._page, ANSWERED)[0] != self._number:
            return None
        return OrderResult(*ANSWER.unpack_from(self._page, AT_ANSWER))

    def obey(self, request: Any, connection: Connection) -> None:
        """Have this child, which has just been forked for a request, carry out orders from now on."""
        busy = threading.Lock()  # the parent signals again while an order is being carried out

        def look(*_: object) -> None:
            if busy.acquire(blocking=False):
                try:
                    self._look(request, connection)
                finally:
                    busy.release()

        with contextlib.suppress(ValueError):  # not in the main thread: it obeys nothing
            signal.signal(SIGNAL, look)

    def _look(self, request: Any, connection: Connection) -> None:
        """Carry out the latest order, if it is for this child and has no answer."""
        (number,), (answered,) = NUMBER.unpack_from(self._page, ORDERED), NUMBER.unpack_from(self._page, ANSWERED)
        index, kind, until, size = ORDER.unpack_from(self._page, AT_ORDER)
        if index != connection.index or number == answered or monotonic() >= until:
            return
        result = _carry_out(request, connection, KINDS[kind], until, bytes(self._page[DATA : DATA + size]))
        if NUMBER.unpack_from(self._page, ORDERED)[0] == number:
            ANSWER.pack_into(self._page, AT_ANSWER, *result)
            NUMBER.pack_into(self._page, ANSWERED, number)


def _carry_out(request: Any, connection: Connection, kind: str, until: float, data: bytes) -> OrderResult:
    sent = 0
    try:
        if kind != "send":
            acts.end(request, connection, kind)
        while sent < len(data):
            sent += acts.send_now(request, connection, data[sent:])
            if sent < len(data):
                if monotonic() >= until:
                    break
                acts.wait_writable(request.fileno(), until)
    except (OSError, ValueError) as error:
        return OrderResult(sent, getattr(error, "errno", None) or errno.EBADF)
    return OrderResult(sent, 0)
