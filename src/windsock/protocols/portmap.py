"""Messages of portmap and rpcbind (RFC 1833): program 100000, versions 2 to 4, and universal addresses. No I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from windsock.errors import PeerError, UsageError
from windsock.protocols import xdr

__all__ = [
    "BINDING",
    "BINDINGS",
    "MAPPING",
    "MAPPINGS",
    "PORT",
    "PROGRAM",
    "Binding",
    "Mapping",
    "PortmapProcedure",
    "PortmapProtocol",
    "RpcbindProcedure",
    "parse_universal_address",
    "universal_address",
]

PROGRAM = 100000
PORT = 111


class PortmapProcedure(enum.IntEnum):
    """Procedures of version 2, the port mapper."""

    NULL = 0
    SET = 1
    UNSET = 2
    GETPORT = 3
    DUMP = 4


class RpcbindProcedure(enum.IntEnum):
    """Procedures of versions 3 and 4, rpcbind."""

    NULL = 0
    SET = 1
    UNSET = 2
    GETADDR = 3
    DUMP = 4


class PortmapProtocol(enum.IntEnum):
    """Protocols of version 2, by their IP protocol number."""

    TCP = 6
    UDP = 17


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where a program is, for version 2: a port. The arguments of SET, UNSET and GETPORT too."""

    program: int
    version: int
    protocol: int
    port: int = 0


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a program is, for versions 3 and 4: a universal address on a transport (`netid`), of an owner."""

    program: int
    version: int
    netid: str
    address: str = ""
    owner: str = ""


MAPPING: xdr.Struct[Mapping] = xdr.Struct(Mapping, program=xdr.UINT, version=xdr.UINT, protocol=xdr.UINT, port=xdr.UINT)
MAPPINGS = xdr.LinkedList(MAPPING)
"""The result of DUMP in version 2."""
BINDING: xdr.Struct[Binding] = xdr.Struct(
    Binding, program=xdr.UINT, version=xdr.UINT, netid=xdr.STRING, address=xdr.STRING, owner=xdr.STRING
)
BINDINGS = xdr.LinkedList(BINDING)
"""The result of DUMP in versions 3 and 4."""


def universal_address(host: str, port: int) -> str:
    """Return an IP address and a port as rpcbind writes them (RFC 5665, section 5.2.3): `"127.0.0.1.156.175"`."""
    if type(port) is not int or not 0 <= port <= 0xFFFF:
        raise UsageError(f"universal_address({host!r}, {port!r}): expected a port from 0 to 65535")
    return f"{host}.{port >> 8}.{port & 255}"


def parse_universal_address(text: str) -> tuple[str, int]:
    """Return the IP address and the port that a universal address names. Raises PeerError for anything else."""
    host, *numbers = text.rsplit(".", 2)
    if not host or len(numbers) != 2 or not all(_is_byte(each) for each in numbers):
        raise PeerError(f"{text!r} is no universal address: expected HOST.HIGH.LOW with two numbers from 0 to 255")
    return host, int(numbers[0]) << 8 | int(numbers[1])


def _is_byte(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 255
