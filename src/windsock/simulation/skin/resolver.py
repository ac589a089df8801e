"""Names and addresses: looked up in the hosts of the world, never in the DNS."""

from __future__ import annotations

import _socket
import ipaddress
from collections.abc import Iterator
from typing import Any

from windsock.net.system import socket
from windsock.simulation.live import current
from windsock.simulation.tasks import Task

__all__ = ["NAMES"]

PROTOCOLS = {socket.SOCK_STREAM: socket.IPPROTO_TCP, socket.SOCK_DGRAM: socket.IPPROTO_UDP}
_old = {
    name: getattr(_socket, name)
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo", "gethostname")
}


def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
    """Stand in for _socket.getaddrinfo()."""
    task = current()
    if task is None:
        return _old["getaddrinfo"](host, port, family, type, proto, flags)
    name = host.decode() if isinstance(host, bytes) else host
    number = _port(port, type)
    return [
        (each, kind, protocol, "", (address, number) if each == socket.AF_INET else (address, number, 0, 0))
        for each, address in _addresses(task, name, family, flags)
        for kind, protocol in _kinds(type, proto)
    ]


def _kinds(kind: int, proto: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = [
        pair for pair in PROTOCOLS.items() if kind in (0, pair[0]) and proto in (0, pair[1])
    ]
    if not found:
        raise _socket.gaierror(socket.EAI_SOCKTYPE, "ai_socktype not supported")
    return found


def _port(port: Any, kind: int) -> int:
    text = port.decode() if isinstance(port, bytes) else port
    if text is None or text == "":
        return 0
    if isinstance(text, int) or text.isdigit():
        return int(text)
    try:
        return _socket.getservbyname(text, "udp" if kind == socket.SOCK_DGRAM else "tcp")
    except OSError:
        raise _socket.gaierror(socket.EAI_SERVICE, "Servname not supported for ai_socktype") from None


def _addresses(task: Task, name: Any, family: int, flags: int) -> list[tuple[int, str]]:
    found = [each for each in _all_addresses(task, name, flags) if family in (0, each[0])]
    if not found:
        raise _socket.gaierror(getattr(socket, "EAI_ADDRFAMILY", socket.EAI_NONAME), "Address family not supported")
    return found


def _all_addresses(task: Task, name: Any, flags: int) -> Iterator[tuple[int, str]]:
    if not name:
        is_passive = bool(flags & socket.AI_PASSIVE)
        yield socket.AF_INET, "0.0.0.0" if is_passive else "127.0.0.1"
        yield socket.AF_INET6, "::" if is_passive else "::1"
        return
    try:
        texts: tuple[str, ...] = (str(ipaddress.ip_address(name)),)
    except ValueError:
        if flags & socket.AI_NUMERICHOST:
            raise _socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        texts = task.baton.world.network.addresses(name)
    for text in texts:
        yield (socket.AF_INET6 if ":" in text else socket.AF_INET), text


def gethostbyname(hostname: Any, /) -> Any:
    """Stand in for socket.gethostbyname()."""
    task = current()
    return _old["gethostbyname"](hostname) if task is None else _addresses(task, hostname, socket.AF_INET, 0)[0][1]


def gethostbyname_ex(hostname: Any, /) -> Any:
    """Stand in for socket.gethostbyname_ex()."""
    task = current()
    if task is None:
        return _old["gethostbyname_ex"](hostname)
    return hostname, [], [address for _, address in _addresses(task, hostname, socket.AF_INET, 0)]


def gethostbyaddr(address: Any, /) -> Any:
    """Stand in for socket.gethostbyaddr()."""
    task = current()
    if task is None:
        return _old["gethostbyaddr"](address)
    text = _addresses(task, address, 0, 0)[0][1]
    return task.baton.world.name_of(text), [], [text]


def getnameinfo(sockaddr: Any, flags: int, /) -> Any:
    """Stand in for socket.getnameinfo()."""
    task = current()
    if task is None:
        return _old["getnameinfo"](sockaddr, flags)
    address, port = sockaddr[:2]
    is_numeric = flags & socket.NI_NUMERICHOST
    return (address if is_numeric else task.baton.world.name_of(address)), str(port)


def gethostname() -> str:
    """Stand in for socket.gethostname()."""
    task = current()
    return str(_old["gethostname"]()) if task is None else str(task.baton.world.host_of(task).name)


NAMES: dict[Any, Any] = {
    _old["getaddrinfo"]: getaddrinfo,
    _old["gethostbyname"]: gethostbyname,
    _old["gethostbyname_ex"]: gethostbyname_ex,
    _old["gethostbyaddr"]: gethostbyaddr,
    _old["getnameinfo"]: getnameinfo,
    _old["gethostname"]: gethostname,
}
