"""A portmapper (RFC 1833, version 2), so that tests need no rpcbind: TCP and UDP on the same port."""

from __future__ import annotations

import contextlib
import errno
from typing import Any

from windsock.net.system import socket
from windsock.protocols import portmap, xdr
from windsock.protocols.portmap import Mapping, PortmapProcedure, PortmapProtocol
from windsock.servers.loop import ServeLoop
from windsock.servers.rpc.combinations import RPCUDPServer, ThreadingRPCTCPServer
from windsock.servers.rpc.handlers import RPCRequestHandler
from windsock.servers.rpc.procedures import procedure

__all__ = ["PortmapRequestHandler", "Portmapper"]

TRIES = 20
"""How many free TCP ports are tried, until one is free for UDP too."""


class PortmapRequestHandler(RPCRequestHandler):
    """The procedures of portmap, version 2. Its server has `mappings`."""

    program = portmap.PROGRAM
    version = 2

    @procedure(PortmapProcedure.SET, args=portmap.MAPPING, result=xdr.BOOL)
    def set(self, mapping: Mapping) -> bool:
        """Add a mapping, unless there is one for this program, version and protocol."""
        key = (mapping.program, mapping.version, mapping.protocol)
        return self.server.mappings.setdefault(key, mapping) is mapping

    @procedure(PortmapProcedure.UNSET, args=portmap.MAPPING, result=xdr.BOOL)
    def unset(self, mapping: Mapping) -> bool:
        """Remove the mappings of a program and a version, for all protocols."""
        keys = [key for key in list(self.server.mappings) if key[:2] == (mapping.program, mapping.version)]
        removed = [self.server.mappings.pop(key, None) for key in keys]
        return any(removed)

    @procedure(PortmapProcedure.GETPORT, args=portmap.MAPPING, result=xdr.UINT)
    def getport(self, mapping: Mapping) -> int:
        """Return the port of a program: of this version, or else of another one, as rpcbind does; 0 for none."""
        exact = self.server.mappings.get((mapping.program, mapping.version, mapping.protocol))
        if exact is not None:
            return int(exact.port)
        wanted = (mapping.program, mapping.protocol)
        known = list(self.server.mappings.values())
        return next((each.port for each in known if (each.program, each.protocol) == wanted), 0)

    @procedure(PortmapProcedure.DUMP, result=portmap.MAPPINGS)
    def dump(self) -> list[Mapping]:
        """Return all mappings."""
        return list(self.server.mappings.values())


class Portmapper(ThreadingRPCTCPServer):
    """A portmapper on any port, over TCP and UDP: `Portmapper()` is at `server_address`.

    It knows version 2, and answers calls of versions 3 and 4 with PROG_MISMATCH, whereupon clients fall back to 2.
    `mappings` is what is registered: from (program, version, protocol) to a `Mapping`. It is in there itself.
    """

    def __init__(
        self,
        server_address: Any = ("127.0.0.1", 0),
        RequestHandlerClass: Any = PortmapRequestHandler,
        bind_and_activate: bool = True,
    ) -> None:
        self.mappings: dict[tuple[int, int, int], Mapping] = {}
        self._udp: _PortmapperOverUDP | None = None
        super().__init__(server_address, RequestHandlerClass, bind_and_activate)

    def server_bind(self) -> None:
        """Bind to a port that is free for TCP and for UDP. May be extended (call super)."""
        wanted = self.server_address
        for tries_left in reversed(range(TRIES)):
            super().server_bind()
            try:
                self._udp = self._over_udp()
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE or wanted[1] or not tries_left:
                    raise
                self.socket.close()
                self.socket = socket.socket(self.address_family, self.socket_type)
                self.server_address = wanted
        for protocol in PortmapProtocol:
            mapping = Mapping(portmap.PROGRAM, 2, protocol, self.server_address[1])
            self.mappings.setdefault((portmap.PROGRAM, 2, protocol), mapping)

    def _over_udp(self) -> _PortmapperOverUDP:
        made = _PortmapperOverUDP(self.server_address, self.RequestHandlerClass, bind_and_activate=False)
        try:
            if made.address_family != self.address_family:
                made.address_family = self.address_family
                made.socket.close()
                made.socket = socket.socket(self.address_family, made.socket_type)
            made.server_bind()
        except BaseException:
            made.server_close()
            raise
        made.mappings = self.mappings
        return made

    def _loop_started(self, loop: ServeLoop) -> None:
        super()._loop_started(loop)
        if self._udp is not None:
            loop.watch(self._udp.fileno(), self._udp.handle_request)

    def server_close(self) -> None:
        """Close both sockets. May be extended (call super)."""
        try:
            super().server_close()
        finally:
            if self._udp is not None:
                with contextlib.suppress(OSError):
                    self._udp.server_close()


class _PortmapperOverUDP(RPCUDPServer):
    """The other socket of a portmapper. Its calls are answered in the portmapper's loop."""

    timeout = 0
    mappings: dict[tuple[int, int, int], Mapping]
