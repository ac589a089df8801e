"""The spelling of addresses, and short private paths for Unix sockets."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import stat
from typing import Any, TypeAlias

from windsock.errors import UsageError
from windsock.net.files import temporary_directory
from windsock.net.interrupts import uninterrupted
from windsock.net.system import connect, os, platform, socket

__all__ = [
    "LONGEST_UNIX_PATH",
    "Address",
    "PrivateSocketPath",
    "check_loopback",
    "check_unix_path",
    "is_abstract",
    "is_localhost",
    "is_loopback",
    "is_stale_socket",
    "plain",
    "show",
    "unlink_socket",
    "unmapped",
]

Address: TypeAlias = Any
"""`(host, port)` or `(host, port, flow, scope)`, a path, an abstract name `"\\0name"`, or None (no name)."""

LONGEST_UNIX_PATH = 107 if platform == "linux" else 103
"""The most bytes in sockaddr_un.sun_path besides the final NUL (unix(7))."""


def plain(address: Address) -> Address:
    """Return the address in the form that clients use: abstract names as str, a missing name as None."""
    if isinstance(address, bytes):
        address = os.fsdecode(address)
    return None if address == "" else address


def show(address: Address) -> str:
    """Return the address for people to read: `127.0.0.1:80`, `[::1]:80`, `/run/x.sock`, `@name`."""
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    address = plain(address)
    if address is None:
        return "(unnamed)"
    if is_abstract(address):
        return f"@{address[1:]}"
    return str(address)


def is_abstract(address: Address) -> bool:
    """Return whether the address is a name in Linux's abstract Unix namespace (unix(7))."""
    if isinstance(address, bytes):
        return address.startswith(b"\0")
    return isinstance(address, str) and address.startswith("\0")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the host: `localhost`, 127.0.0.0/8 (also IPv4-mapped), `::1`."""
    if is_localhost(host):
        return True
    try:
        return ipaddress.ip_address(unmapped(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def is_localhost(host: str) -> bool:
    """Return whether this is the name of the loopback interface's addresses, 127.0.0.1 and ::1."""
    return host.lower().removesuffix(".") == "localhost"  # RFC 6761, section 6.3


def unmapped(host: str) -> str:
    """Return the IPv4 address for an IPv4-mapped one (`::ffff:127.0.0.1`, RFC 4291, section 2.5.5.2), else the host.

    A dual-stack socket reports its IPv4 clients so.
    """
    if not host.lower().startswith("::ffff:"):
        return host
    try:
        return str(getattr(ipaddress.ip_address(host), "ipv4_mapped", None) or host)
    except ValueError:
        return host


def check_loopback(named: str, host: str) -> None:
    """Raise UsageError if other machines can reach a host to listen on; `named` is what the user wrote."""
    if not is_loopback(host):
        raise UsageError(
            f"{named} can be reached from other machines; use '127.0.0.1' or '::1', or pass allow_external=True"
        )


def check_unix_path(path: str) -> None:
    """Raise UsageError for a path that no Unix socket can have (unix(7))."""
    size = len(os.fsencode(path))
    if not size:
        raise UsageError("path='': a Unix socket needs a path, or an abstract name that starts with '\\0'")
    if size > LONGEST_UNIX_PATH:
        raise UsageError(
            f"path {path!r} has {size} bytes; a Unix socket's path has at most {LONGEST_UNIX_PATH}. "
            "Leave path= out to get a short private one, or use a shorter directory"
        )


def is_stale_socket(path: Address, kind: int) -> bool:
    """Return whether the path is a socket of this kind without a listener.

    A probe connects to it: only a refused connection means that its server is gone.
    """
    if is_abstract(path):
        return False
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
        with socket.socket(socket.AF_UNIX, kind) as probe:
            probe.setblocking(False)
            connect(probe, path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def unlink_socket(path: Address, identity: tuple[int, int] | None) -> None:
    """Remove a socket's file if it is still the one with that (device, inode)."""
    try:
        found = os.lstat(path)
        if (found.st_dev, found.st_ino) == identity:
            os.unlink(path)
    except OSError:  # it is gone
        pass


class PrivateSocketPath:
    """A short path for one Unix socket, in a directory of its own with mode 0700 until `remove()`.

    The directory is removed with the last reference, too. If a process was killed, the next process that creates one
    in the same place removes it.
    """

    @uninterrupted
    def __init__(self, parent: str | None = None) -> None:
        parent = parent or temporary_directory()
        name = f"ws-{os.getpid()}-{os.urandom(6).hex()}"
        if len(os.fsencode(f"{parent}/{name}/s")) > LONGEST_UNIX_PATH:
            parent = "/tmp"
        _remove_leftovers(parent)
        self._owner = os.getpid()
        self.directory: str = f"{parent}/{name}"
        self.path: str = f"{self.directory}/s"
        os.mkdir(self.directory, 0o700)

    def __del__(self) -> None:
        self.remove()

    @uninterrupted
    def remove(self) -> None:
        """Remove the directory and what is in it. In a forked child, do nothing: it is the parent's.

        Idempotent.
        """
        directory, self.directory = getattr(self, "directory", ""), ""
        if directory and self._owner == os.getpid():
            _remove_directory(directory)


def _remove_directory(directory: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        try:
            os.rmdir(directory)
        except OSError:
            _empty(directory)
            os.rmdir(directory)


def _empty(directory: str) -> None:
    with os.scandir(directory) as entries:
        for each in entries:
            if each.is_dir(follow_symlinks=False):
                _empty(each.path)
                os.rmdir(each.path)
            else:
                os.unlink(each.path)


_cleaned: set[str] = set()
"""Directories that this process has searched for leftovers of others."""


def _remove_leftovers(parent: str) -> None:
    """Remove the private directories of processes that were killed, once for each parent directory."""
    if parent in _cleaned:
        return
    _cleaned.add(parent)
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for each in entries:
            found = PRIVATE.fullmatch(each.name)
            if found is not None and _is_abandoned(each, int(found[1])):
                _remove_directory(each.path)


PRIVATE = re.compile(r"ws-(\d+)-[0-9a-f]{12}")


def _is_abandoned(directory: os.DirEntry[str], owner: int) -> bool:
    """Return whether a private directory is this user's, its process is gone, and no server answers in it.

    The last check is needed: a process in another container that shares the directory has its own numbering.
    """
    try:
        if not directory.is_dir(follow_symlinks=False) or directory.stat(follow_symlinks=False).st_uid != os.getuid():
            return False
        os.kill(owner, 0)
    except ProcessLookupError:
        path = f"{directory.path}/s"
        return not os.path.lexists(path) or any(
            is_stale_socket(path, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        )
    except OSError:
        pass
    return False
