"""What a selecting server leaves to the garbage collector, if its handlers leave cycles."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import greenlet

import windsock
from tests.support.waiting import wait_until
from windsock.servers import StreamRequestHandler


def test_the_greenlet_of_a_loops_thread_goes_with_the_thread() -> None:
    """Freed later, by a collection in another thread, it may crash the interpreter."""
    mains: list[weakref.ref[Any]] = []

    class Cyclic(StreamRequestHandler):
        def handle(self) -> None:
            self.myself = self
            mains.append(weakref.ref(greenlet.getcurrent().parent))
            self.wfile.write(self.rfile.readline())

    gc.disable()
    try:
        with windsock.serving(Cyclic, concurrency="selecting") as server, server.connect() as client:
            client.send(b"x\n").expect(b"x\n")

        wait_until(lambda: mains[0]() is None, "the end of the thread's greenlet")
    finally:
        gc.enable()
