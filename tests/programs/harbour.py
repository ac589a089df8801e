"""The program of rpc_c/harbour.x in Python."""

from __future__ import annotations

from typing import Any

from windsock.protocols import xdr
from windsock.protocols.rpc_messages import AuthFlavor, AuthStatus, AuthSys, Denied, RejectStatus
from windsock.servers.rpc import RPCRequestHandler, procedure

PROGRAM, VERSION = 0x20000010, 2
BUOY, BOAT = 1, 2

FIELDS: dict[str, xdr.XDRType[Any]] = {
    "number": xdr.INT,
    "serial": xdr.UHYPER,
    "name": xdr.String(32),
    "depth": xdr.DOUBLE,
    "is_lit": xdr.BOOL,
    "flag": xdr.FixedOpaque(3),
    "soundings": xdr.Array(xdr.INT, 10),
    "hold": xdr.Union(xdr.INT, {BUOY: xdr.VOID, BOAT: xdr.Opaque(100)}),
}
ENTRY: xdr.Struct[Any] = xdr.Struct(**FIELDS, next=xdr.LinkedList(xdr.Struct(**FIELDS)))
NUMBERS = xdr.Array(xdr.INT, 100)


class Harbour(RPCRequestHandler):
    """What rpc_c/server.c does."""

    program = PROGRAM
    version = VERSION

    @procedure(1, args=NUMBERS, result=xdr.INT)
    def add(self, numbers: list[int]) -> int:
        """Return the sum."""
        return sum(numbers)

    @procedure(2, args=ENTRY, result=ENTRY)
    def echo_entry(self, entry: Any) -> Any:
        """Return what came."""
        return entry

    @procedure(3, args=xdr.OPAQUE, result=xdr.OPAQUE)
    def echo(self, data: bytes) -> bytes:
        """Return what came."""
        return data

    @procedure(4)
    def fail(self) -> None:
        """Fail."""
        raise ZeroDivisionError

    @procedure(5, result=xdr.UINT)
    def tell_uid(self) -> Any:
        """Return who calls, from a credential of AUTH_SYS."""
        if self.call.credential.flavor != AuthFlavor.SYS:
            return Denied(0, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_TOOWEAK)
        return AuthSys.of(self.call.credential).uid
