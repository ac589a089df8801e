"""Two worlds for one script: the kernel's sockets and the simulated ones, behind the same small interface.

Calls return their result, or the name of the error. `until` waits for an event, with a deadline, since the kernel's
other end is not always told before a call returns.
"""

from __future__ import annotations

import errno
import itertools
import select
import socket
from collections.abc import Callable
from typing import Any

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
