"""The world of the kernel's sockets."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.simulation.network.worlds import ALL, SIOCATMARK, WAIT, End, World


class Kernel(World):
    """The kernel's sockets, non-blocking."""

    def __init__(self) -> None:
        self._open: list[socket.socket] = []
        self._directory = tempfile.TemporaryDirectory()

    def _kept(self, raw: socket.socket) -> socket.socket:
        raw.setblocking(False)
        self._open.append(raw)
        return raw

    def make(self, family: int, kind: int) -> Any:
        return self._kept(socket.socket(family, kind))

    def make_pair(self, kind: int) -> Any:
        return tuple(map(self._kept, socket.socketpair(socket.AF_UNIX, kind)))

    def end(self, raw: Any) -> End:
        return End(self, raw if raw in self._open else self._kept(raw))

    def mask(self, raw: Any) -> int:
        poll = select.poll()
        poll.register(raw, ALL)
        found = poll.poll(0)
        return found[0][1] if found else 0

    def wait(self, is_over: Callable[[], object]) -> None:
        deadline = time.monotonic() + WAIT
        while not is_over():
            assert time.monotonic() < deadline, "the kernel did not report the event"
            time.sleep(0.0001)

    def _ask(self, raw: Any, question: int) -> int:
        return int(struct.unpack("i", fcntl.ioctl(raw, question, bytes(4)))[0])

    def unread(self, raw: Any) -> int:
        return self._ask(raw, termios.FIONREAD)

    def unsent(self, raw: Any) -> int:
        return self._ask(raw, termios.TIOCOUTQ)

    def at_mark(self, raw: Any) -> bool:
        return bool(self._ask(raw, SIOCATMARK))

    def path(self, name: str) -> str:
        return f"{self._directory.name}/{name}"

    def write_file(self, path: str) -> None:
        Path(path).write_bytes(b"")

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def close(self) -> None:
        for each in self._open:
            each.close()
        self._directory.cleanup()
