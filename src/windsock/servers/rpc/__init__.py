"""Sun RPC (RFC 5531): handlers with procedures, for any server of the family, and servers that register themselves.

An `RPCRequestHandler` works with every server class. `RPCMixIn`, first among the bases, adds what belongs to the
server: registration with rpcbind or portmap, and replies kept for retransmitted calls.
"""

from windsock.net.system import os, socket
from windsock.servers.rpc.combinations import (
    RPCTCPServer,
    RPCUDPServer,
    SelectingRPCTCPServer,
    SelectingRPCUDPServer,
    ThreadingRPCTCPServer,
    ThreadingRPCUDPServer,
    TrioRPCTCPServer,
    TrioRPCUDPServer,
)
from windsock.servers.rpc.handlers import RPCRequestHandler
from windsock.servers.rpc.mixin import RPCMixIn
from windsock.servers.rpc.portmapper import Portmapper, PortmapRequestHandler
from windsock.servers.rpc.procedures import procedure
from windsock.servers.rpc.registration import RegistrationFailed

__all__ = [
    "PortmapRequestHandler",
    "Portmapper",
    "RPCMixIn",
    "RPCRequestHandler",
    "RPCTCPServer",
    "RPCUDPServer",
    "RegistrationFailed",
    "SelectingRPCTCPServer",
    "SelectingRPCUDPServer",
    "ThreadingRPCTCPServer",
    "ThreadingRPCUDPServer",
    "TrioRPCTCPServer",
    "TrioRPCUDPServer",
    "procedure",
]

if hasattr(os, "fork"):
    from windsock.servers.rpc.combinations import ForkingRPCTCPServer, ForkingRPCUDPServer

    __all__ += ["ForkingRPCTCPServer", "ForkingRPCUDPServer"]

if hasattr(socket, "AF_UNIX"):
    from windsock.servers.rpc.combinations import (
        RPCUnixDatagramServer,
        RPCUnixStreamServer,
        SelectingRPCUnixDatagramServer,
        SelectingRPCUnixStreamServer,
        ThreadingRPCUnixDatagramServer,
        ThreadingRPCUnixStreamServer,
        TrioRPCUnixDatagramServer,
        TrioRPCUnixStreamServer,
    )

    __all__ += ["RPCUnixDatagramServer", "RPCUnixStreamServer"]
    __all__ += ["SelectingRPCUnixDatagramServer", "SelectingRPCUnixStreamServer"]
    __all__ += ["ThreadingRPCUnixDatagramServer", "ThreadingRPCUnixStreamServer"]
    __all__ += ["TrioRPCUnixDatagramServer", "TrioRPCUnixStreamServer"]

    if hasattr(os, "fork"):
        from windsock.servers.rpc.combinations import ForkingRPCUnixDatagramServer, ForkingRPCUnixStreamServer

        __all__ += ["ForkingRPCUnixDatagramServer", "ForkingRPCUnixStreamServer"]
