"""Two worlds for one script: the kernel's sockets and the simulated ones, behind the same small interface.

Calls return their result, or the name of the error. `until` waits for an event, with a deadline, since the kernel's
other end is not always told before a call returns.
"""

from __future__ import annotations

import errno
import fcntl
import heapq
import itertools
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

from windsock.simulation.network import FilesInMemory, Network

EVENTS = ("IN", "OUT", "PRI", "RDHUP", "ERR", "HUP")
MASK = {name: getattr(select, f"POLL{name}") for name in EVENTS}
ALL = sum(MASK.values())
SIOCATMARK = 0x8905
WAIT = 10.0
"""Seconds after which the kernel has not done what it should have done."""


def names(mask: int) -> str:
    return "|".join(name for name in EVENTS if mask & MASK[name])


def attempt(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except (TypeError, OverflowError, ValueError) as error:
        return type(error).__name__


class End:
    """A socket of either world. Its methods are those of a socket; an error is returned by its name."""

    def __init__(self, world: World, raw: Any) -> None:
        self.world = world
        self.raw = raw

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.raw, name)
        return lambda *arguments: attempt(method, *arguments)

    def accept(self) -> Any:
        found = attempt(self.raw.accept)
        return found if isinstance(found, str) else self.world.end(found[0])

    def recv_into(self, buffer: bytearray, *arguments: int) -> Any:
        return attempt(self.raw.recv_into, buffer, *arguments)

    @property
    def port(self) -> int:
        return int(self.raw.getsockname()[1])

    @property
    def address(self) -> Any:
        return self.raw.getsockname()

    def events(self) -> str:
        return names(self.world.mask(self.raw))

    def until(self, *events: str) -> str:
        """Wait for one of the events; return all that there are then."""
        wanted = sum(MASK[each] for each in events)
        self.world.wait(lambda: self.world.mask(self.raw) & wanted)
        return self.events()

    def until_not(self, event: str) -> str:
        self.world.wait(lambda: not self.world.mask(self.raw) & MASK[event])
        return self.events()

    def unread(self) -> Any:
        return attempt(self.world.unread, self.raw)

    def unsent(self) -> Any:
        return attempt(self.world.unsent, self.raw)

    def at_mark(self) -> Any:
        return attempt(self.world.at_mark, self.raw)

    def fill(self, piece: int = 4096) -> int:
        """Send until the socket would block; return the number of bytes."""
        sent = 0
        while isinstance(size := self.send(b"x" * piece), int):
            sent += size
        return sent

    def read_all(self) -> int:
        """Receive until nothing is there; return the number of bytes."""
        received = 0
        while isinstance(data := self.recv(65536), bytes) and data:
            received += len(data)
        return received


class World:
    """What both worlds have: sockets, and shortcuts for pairs of them."""

    unix_names = itertools.count()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def make(self, family: int, kind: int) -> Any:
        raise NotImplementedError

    def make_pair(self, kind: int) -> Any:
        raise NotImplementedError

    def end(self, raw: Any) -> End:
        return End(self, raw)

    def mask(self, raw: Any) -> int:
        raise NotImplementedError

    def wait(self, is_over: Callable[[], object]) -> None:
        raise NotImplementedError

    def unread(self, raw: Any) -> int:
        raise NotImplementedError

    def unsent(self, raw: Any) -> int:
        raise NotImplementedError

    def at_mark(self, raw: Any) -> bool:
        raise NotImplementedError

    def path(self, name: str) -> str:
        """Return the name of a Unix socket, which is the same for each use of `name` in one world."""
        raise NotImplementedError

    def write_file(self, path: str) -> None:
        raise NotImplementedError

    def unlink(self, path: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    # --- shortcuts

    def tcp(self, family: int = socket.AF_INET) -> End:
        return self.end(self.make(family, socket.SOCK_STREAM))

    def udp(self, family: int = socket.AF_INET) -> End:
        return self.end(self.make(family, socket.SOCK_DGRAM))

    def bound_udp(self, family: int = socket.AF_INET) -> End:
        made = self.udp(family)
        made.raw.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return made

    def closed_port(self) -> Any:
        """Return the address of a port that no other process can take, and where nothing listens."""
        made = self.tcp()
        made.raw.bind(("127.0.0.1", 0))
        return made.address

    def deaf_udp(self) -> End:
        """Return a UDP socket that hears one peer only, itself."""
        made = self.bound_udp()
        made.raw.connect(made.address)
        return made

    def unix(self) -> End:
        return self.end(self.make(socket.AF_UNIX, socket.SOCK_STREAM))

    def unix_datagram(self) -> End:
        return self.end(self.make(socket.AF_UNIX, socket.SOCK_DGRAM))

    def listener(self, backlog: int = 5, *, host: str = "127.0.0.1", **options: int) -> End:
        made = self.tcp(socket.AF_INET6 if ":" in host else socket.AF_INET)
        for name, value in options.items():
            made.raw.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        made.raw.bind((host, 0))
        made.raw.listen(backlog)
        return made

    def unix_listener(self, name: str = "listener", backlog: int = 5) -> End:
        made = self.unix()
        made.raw.bind(self.path(name))
        made.raw.listen(backlog)
        return made

    def connected(self, listener: End, *, host: str | None = None) -> tuple[End, End]:
        """Return a connected client, and the socket accepted for it."""
        client = self.tcp(listener.raw.family)
        client.connect(listener.address if host is None else (host, listener.port))
        client.until("OUT")
        client.connect(listener.address)  # the result
        listener.until("IN")
        return client, listener.accept()

    def pair(self) -> tuple[End, End]:
        return self.connected(self.listener())

    def unix_pair(self, kind: int = socket.SOCK_STREAM) -> tuple[End, End]:
        first, second = self.make_pair(kind)
        return self.end(first), self.end(second)


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


class Clock:
    """Timers whose time moves when a test says so."""

    def __init__(self) -> None:
        self._now = 100.0
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], object]) -> None:
        heapq.heappush(self._calls, (when, next(self._order), callback))

    def step(self) -> bool:
        """Move on to the next call; return whether there was one."""
        if not self._calls:
            return False
        when, _, callback = heapq.heappop(self._calls)
        self._now = max(self._now, when)
        callback()
        return True

    def advance(self, seconds: float) -> None:
        end = self._now + seconds
        while self._calls and self._calls[0][0] <= end:
            self.step()
        self._now = end


class Simulated(World):
    """The sockets of a network in memory."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.files = FilesInMemory()
        self.network = Network(self.clock, self.files)

    def make(self, family: int, kind: int) -> Any:
        return self.network.socket(family, kind)

    def make_pair(self, kind: int) -> Any:
        return self.network.socketpair(socket.AF_UNIX, kind)

    def mask(self, raw: Any) -> int:
        return int(raw.events())

    def wait(self, is_over: Callable[[], object]) -> None:
        while not is_over():
            assert self.clock.step(), "nothing is due, and the event did not come"

    def unread(self, raw: Any) -> int:
        return int(raw.unread())

    def unsent(self, raw: Any) -> int:
        return int(raw.unsent())

    def at_mark(self, raw: Any) -> bool:
        return bool(raw.is_at_mark())

    def path(self, name: str) -> str:
        return f"/run/{name}"

    def write_file(self, path: str) -> None:
        self.files.write(path)

    def unlink(self, path: str) -> None:
        self.files.unlink(path)

    def close(self) -> None:
        pass
