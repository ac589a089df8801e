"""The addresses that diverted names resolve to: of each name one of its own, until the process ends.

By such an address a connection is known to be to that name, whatever port it is to. The addresses are in 127.64.0.0/10
(as IPv6: IPv4-mapped ones), which never leave the machine: code that keeps one for longer than its diversion is refused
by the kernel.
"""

from __future__ import annotations

import ipaddress
from itertools import count

from windsock.net.system import socket

__all__ = ["name_of", "placeholder"]

_names: dict[str, str] = {}
"""The name of each address..."""
_addresses: dict[str, str] = {}
"""...and the address of each name."""
_numbers = count(int(ipaddress.IPv4Address("127.64.0.1")))


def placeholder(name: str, family: int) -> str:
    """Return the address of a name, in the spelling of a family (AF_INET or AF_INET6)."""
    if name not in _addresses:
        _addresses.setdefault(name, str(ipaddress.IPv4Address(next(_numbers))))
    found = _addresses[name]
    _names[found] = name
    return f"::ffff:{found}" if family == socket.AF_INET6 else found


def name_of(host: str) -> str | None:
    """Return the name whose address that is; None for any other address. `host` is in its one spelling."""
    return _names.get(host)
