"""The functions and methods of the standard library that are replaced while a diversion is active.

Those of `socket.socket` are replaced in the class itself, so that sockets of every subclass (ssl, PySocks) and of code
that has imported the class earlier are diverted. Calls from windsock's own code go to the original.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import socket as standard  # the standard library's own: what the code under test calls is replaced there
import sys
import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

from windsock.diversions import names
from windsock.diversions.errors import NotDiverted
from windsock.diversions.placeholders import name_of, placeholder
from windsock.net.system import patched_by_gevent, socket
from windsock.net.whereabouts import package_of

__all__ = ["install", "remove"]

Function: TypeAlias = Callable[..., Any]
FAMILIES = (socket.AF_INET, socket.AF_INET6)


class Patch:
    """One attribute that is replaced."""

    def __init__(self, owner: Any, name: str, make: Callable[[Function], Function]) -> None:
        self.owner = owner
        self.name = name
        self.original: Function = getattr(owner, name)
        self.is_own: bool = name in vars(owner)
        self.replacement = functools.wraps(self.original)(make(self.original))
        setattr(owner, name, self.replacement)

    def remove(self) -> None:
        """Put the original back, unless a tool has replaced it since: that calls ours, which passes calls on."""
        if vars(self.owner).get(self.name) is not self.replacement:
            return
        if self.is_own:
            setattr(self.owner, self.name, self.original)
        else:
            delattr(self.owner, self.name)


_patches: list[Patch] = []


def install(families_of: Function, way_to: Function) -> None:
    """Replace the functions and methods; what the new ones do is up to these two functions of `active`."""
    lookups, traffic = Lookups(families_of), Traffic(way_to)
    modules: list[Any] = [standard]
    classes: list[Any] = [socket.socket]
    if patched_by_gevent():
        modules.append(sys.modules["gevent.socket"])
        classes.append(modules[1].socket)
    _patches.extend(Patch(each, name, getattr(lookups, name)) for each in modules for name in LOOKUPS)
    _patches.extend(Patch(each, name, getattr(traffic, name)) for each in classes for name in TRAFFIC)


def remove() -> None:
    """Put back what was there."""
    while _patches:
        _patches.pop().remove()


LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")
TRAFFIC = ("connect", "connect_ex", "sendto", "sendmsg", "recvfrom", "recvfrom_into")
"""What is replaced: the name of a method here is that of what it replaces, and it makes that from the original."""


def _asked(host: Any) -> str:
    """Return a host in its one spelling; empty for what is none."""
    return names.normal(host) if isinstance(host, str | bytes | bytearray) else ""


def _number(port: Any) -> int | None:
    """Return a port as a number; None for the name of a service, or no port."""
    with contextlib.suppress(TypeError, ValueError):
        return int(port) or None
    return None


class Lookups:
    """The lookups of names and addresses."""

    def __init__(self, families_of: Callable[[str, int | None], list[int]]) -> None:
        self._families_of = families_of

    def getaddrinfo(self, original: Function) -> Function:
        """See socket.getaddrinfo."""

        def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
            name = _asked(host)
            found = [] if flags & socket.AI_NUMERICHOST else self._families_of(name, _number(port))
            if not found:
                return original(host, port, family, type, proto, flags)
            flags = flags & ~socket.AI_ADDRCONFIG | socket.AI_NUMERICHOST
            results = []
            for each in _wanted(name, found, family):
                results += original(placeholder(name, each), port, each, type, proto, flags)
            return [(*each[:3], name if each[3] else "", each[4]) for each in results]

        return getaddrinfo

    def gethostbyname(self, original: Function) -> Function:
        """See socket.gethostbyname."""
        return lambda hostname: self._placeholder(hostname) or original(hostname)

    def gethostbyname_ex(self, original: Function) -> Function:
        """See socket.gethostbyname_ex."""

        def gethostbyname_ex(hostname: Any) -> Any:
            found = self._placeholder(hostname)
            return (_asked(hostname), [], [found]) if found else original(hostname)

        return gethostbyname_ex

    def gethostbyaddr(self, original: Function) -> Function:
        """See socket.gethostbyaddr. The name of another address may be looked up: that is no connection."""

        def gethostbyaddr(ip_address: Any) -> Any:
            name = name_of(_asked(ip_address))
            return original(ip_address) if name is None else (name, [], [ip_address])

        return gethostbyaddr

    def getnameinfo(self, original: Function) -> Function:
        """See socket.getnameinfo."""

        def getnameinfo(sockaddr: Any, flags: int) -> Any:
            name = name_of(_asked(sockaddr[0]))
            if name is None or flags & socket.NI_NUMERICHOST:
                return original(sockaddr, flags)
            return name, original(sockaddr, flags | socket.NI_NUMERICHOST)[1]

        return getnameinfo

    def _placeholder(self, hostname: Any) -> str:
        """Return the IPv4 address of a diverted name; empty for another one."""
        name = _asked(hostname)
        found = self._families_of(name, None)
        return placeholder(name, _wanted(name, found, socket.AF_INET)[0]) if found else ""


def _wanted(name: str, found: list[int], family: int) -> list[int]:
    """Return the families of the addresses to answer with: for IPv6, IPv4 ones serve as well, but not unasked."""
    if family == 0:
        return found
    if family in found or (family == socket.AF_INET6 and socket.AF_INET in found):
        return [family]
    raise standard.gaierror(socket.EAI_NONAME, f"{name} is diverted to a server without an address of this family")


class Traffic:
    """Connections and datagrams."""

    def __init__(self, way_to: Function) -> None:
        self._way_to = way_to
        self._apparent: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()
        """Of each datagram socket, the senders that it takes its answers to come from, by the real ones."""

    def connect(self, original: Function) -> Function:
        """See socket.socket.connect."""

        def connect(sock: Any, address: Any, /) -> Any:
            return original(sock, self._there(sock, address))

        return connect

    def connect_ex(self, original: Function) -> Function:
        """See socket.socket.connect_ex."""

        def connect_ex(sock: Any, address: Any, /) -> Any:
            try:
                return original(sock, self._there(sock, address))
            except NotDiverted:
                return errno.ECONNREFUSED

        return connect_ex

    def sendto(self, original: Function) -> Function:
        """See socket.socket.sendto."""

        def sendto(sock: Any, data: Any, *rest: Any) -> Any:
            if not rest:
                return original(sock, data)
            *flags, address = rest
            return original(sock, data, *flags, self._there(sock, address, is_datagram=True))

        return sendto

    def sendmsg(self, original: Function) -> Function:
        """See socket.socket.sendmsg."""

        def sendmsg(sock: Any, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> Any:
            there = () if address is None else (self._there(sock, address, is_datagram=True),)
            return original(sock, buffers, ancdata, flags, *there)

        return sendmsg

    def recvfrom(self, original: Function) -> Function:
        """See socket.socket.recvfrom. What a diverted datagram is answered with comes from where that was sent."""
        return self._receiving(original)

    def recvfrom_into(self, original: Function) -> Function:
        """See socket.socket.recvfrom_into."""
        return self._receiving(original)

    def _receiving(self, original: Function) -> Function:
        def receive(sock: Any, *args: Any, **kwargs: Any) -> Any:
            received, sender = original(sock, *args, **kwargs)
            known = self._apparent.get(sock)
            return received, (known.get(sender, sender) if known else sender)

        return receive

    def _there(self, sock: Any, address: Any, *, is_datagram: bool = False) -> Any:
        """Return the address to use instead of one. What is none is left to the system, and so are windsock's own."""
        if not _is_ip(sock, address) or package_of(sys._getframe(2)) == "windsock":
            return address
        way = self._way_to(sock.family, address, is_datagram=is_datagram)
        if way.apparent is not None:
            if way.address[0].startswith("::ffff:"):
                _allow_ipv4(sock)
            if is_datagram:
                self._apparent.setdefault(sock, {})[way.address] = way.apparent
        return way.address


def _allow_ipv4(sock: Any) -> None:
    """Let a socket for IPv6 reach IPv4 addresses; one that is bound keeps what it has, and the system says so."""
    if sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)


def _is_ip(sock: Any, address: Any) -> bool:
    return (
        sock.family in FAMILIES
        and isinstance(address, tuple)
        and len(address) > 1
        and isinstance(address[0], str | bytes | bytearray)
        and isinstance(address[1], int)
    )
