"""What Linux says of processes (proc(5)) and listening sockets; nothing on other systems."""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from windsock.net.system import os, platform, socket
from windsock.programs import sock_diag

__all__ = [
    "ListeningSocket",
    "Relative",
    "children_of",
    "family",
    "is_running",
    "listeners",
    "processes",
    "read",
    "sockets_of",
    "start_of",
]

LISTENING = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""The files of /proc/net, and the state of sockets in them that take what comes to their address."""
ACCEPTS = 0x10000
"""The flag of a Unix socket that listens (__SO_ACCEPTCON)."""
ENDED = "ZX"


class Relative(NamedTuple):
    """A process: a pid is only one process's together with the time of its start."""

    pid: int
    began: str


class ListeningSocket(NamedTuple):
    """A socket that listens, or takes datagrams: its kind ("tcp", "udp", "unix"), address, and inode."""

    kind: str
    address: Any
    inode: str

    def covers(self, kind: str, address: Any) -> bool:
        """Return whether what clients send to an address can come here."""
        if kind != self.kind or kind == "unix":
            return kind == self.kind and self.address == address
        return bool(self.address[1] == address[1] and self.address[0] in (address[0], "0.0.0.0", "::"))


def family(pid: int) -> set[Relative]:
    """Return a process, its children, their children, and so on."""
    found = {Relative(pid, start_of(pid))}
    for each in children_of(pid):
        found |= family(each)
    return found


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    found: list[int] = []
    for thread in _names(f"/proc/{pid}/task"):
        found += map(int, read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def processes() -> Iterator[int]:
    """Give the pids of all processes."""
    return (int(each) for each in _names("/proc") if each.isdecimal())


def start_of(pid: int) -> str:
    """Return when a process started, in ticks since the start of the system; nothing if it is gone."""
    return _stat(pid)[1]


def is_running(relative: Relative) -> bool:
    """Return whether a process has not ended."""
    state, began = _stat(relative.pid)
    return began == relative.began and bool(began) and state not in ENDED


def sockets_of(pid: int) -> set[str]:
    """Return the inodes of the sockets that a process has open; nothing for the process of another user."""
    found = set()
    for each in _names(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/fd/{each}"))
    return {each[8:-1] for each in found if each.startswith("socket:[")}


def listeners() -> list[ListeningSocket]:
    """Return all sockets that listen or take datagrams."""
    if platform != "linux":
        return []
    try:
        found = [*_asked("tcp", socket.IPPROTO_TCP), *_asked("udp", socket.IPPROTO_UDP)]
    except OSError:  # a kernel without sock_diag(7)
        found = [*_read("tcp"), *_read("tcp6"), *_read("udp"), *_read("udp6")]
    return [*found, *_unix_listeners()]


def _asked(kind: str, protocol: int) -> Iterator[ListeningSocket]:
    for address, port, inode in sock_diag.sockets(protocol):
        yield ListeningSocket(kind, (_host(address), port), inode)


def _read(name: str) -> Iterator[ListeningSocket]:
    """Read all sockets, also those that are connected, which takes long if there are many."""
    for fields in _rows(f"/proc/net/{name}"):
        if fields[3] == LISTENING[name]:
            yield ListeningSocket(name.removesuffix("6"), _address(fields[1]), fields[9])


def _unix_listeners() -> Iterator[ListeningSocket]:
    for fields in _rows("/proc/net/unix"):
        if len(fields) == 8 and (int(fields[3], 16) & ACCEPTS or fields[4] == "0002"):
            yield ListeningSocket("unix", fields[7], fields[6])


def read(path: str) -> str:
    """Return what a file of /proc says; nothing if there is none, or it may not be read."""
    pieces = []
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while piece := os.read(descriptor, 65536):
                pieces.append(piece)
        finally:
            os.close(descriptor)
    return os.fsdecode(b"".join(pieces))


def _stat(pid: int) -> tuple[str, str]:
    """Return the state of a process, and when it started."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else ("", "")


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _rows(path: str) -> Iterator[list[str]]:
    return map(str.split, read(path).splitlines()[1:])


def _address(field: str) -> tuple[str, int]:
    """Return (host, port): the host is in words of four bytes, each in the order of the machine."""
    host, _, port = field.partition(":")
    data = bytes.fromhex(host)
    if sys.byteorder == "little":
        data = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
    return _host(data), int(port, 16)


def _host(data: bytes) -> str:
    ip = ipaddress.ip_address(data)
    return str(getattr(ip, "ipv4_mapped", None) or ip)
