"""The named combinations of Sun RPC: RPCMixIn first, then a server of the family."""

from __future__ import annotations

from windsock.net.system import os, socket
from windsock.servers import combinations as family
from windsock.servers.rpc.mixin import RPCMixIn
from windsock.servers.transports import TCPServer, UDPServer, UnixDatagramServer, UnixStreamServer

__all__ = [
    "RPCTCPServer",
    "RPCUDPServer",
    "SelectingRPCTCPServer",
    "SelectingRPCUDPServer",
    "ThreadingRPCTCPServer",
    "ThreadingRPCUDPServer",
    "TrioRPCTCPServer",
    "TrioRPCUDPServer",
]


class RPCTCPServer(RPCMixIn, TCPServer):
    """Sun RPC, records over TCP: one connection after the other."""


class RPCUDPServer(RPCMixIn, UDPServer):
    """Sun RPC, datagrams over UDP: one call after the other."""


class ThreadingRPCTCPServer(RPCMixIn, family.ThreadingTCPServer):
    """Sun RPC, records over TCP: a thread for each connection."""


class ThreadingRPCUDPServer(RPCMixIn, family.ThreadingUDPServer):
    """Sun RPC, datagrams over UDP: a thread for each call."""


class SelectingRPCTCPServer(RPCMixIn, family.SelectingTCPServer):
    """Sun RPC, records over TCP: in one loop, a greenlet for each connection."""


class SelectingRPCUDPServer(RPCMixIn, family.SelectingUDPServer):
    """Sun RPC, datagrams over UDP: in one loop, a greenlet for each call."""


class TrioRPCTCPServer(RPCMixIn, family.TrioTCPServer):
    """Sun RPC, records over TCP: a trio task for each connection."""


class TrioRPCUDPServer(RPCMixIn, family.TrioUDPServer):
    """Sun RPC, datagrams over UDP: a trio task for each call."""


if hasattr(os, "fork"):
    __all__ += ["ForkingRPCTCPServer", "ForkingRPCUDPServer"]

    class ForkingRPCTCPServer(RPCMixIn, family.ForkingTCPServer):
        """Sun RPC, records over TCP: a process for each connection."""

    class ForkingRPCUDPServer(RPCMixIn, family.ForkingUDPServer):
        """Sun RPC, datagrams over UDP: a process for each call."""


if hasattr(socket, "AF_UNIX"):
    __all__ += ["RPCUnixDatagramServer", "RPCUnixStreamServer"]
    __all__ += ["SelectingRPCUnixDatagramServer", "SelectingRPCUnixStreamServer"]
    __all__ += ["ThreadingRPCUnixDatagramServer", "ThreadingRPCUnixStreamServer"]
    __all__ += ["TrioRPCUnixDatagramServer", "TrioRPCUnixStreamServer"]

    class RPCUnixStreamServer(RPCMixIn, UnixStreamServer):
        """Sun RPC, records over Unix streams: one connection after the other."""

    class RPCUnixDatagramServer(RPCMixIn, UnixDatagramServer):
        """Sun RPC, Unix datagrams: one call after the other."""

    class ThreadingRPCUnixStreamServer(RPCMixIn, family.ThreadingUnixStreamServer):
        """Sun RPC, records over Unix streams: a thread for each connection."""

    class ThreadingRPCUnixDatagramServer(RPCMixIn, family.ThreadingUnixDatagramServer):
        """Sun RPC, Unix datagrams: a thread for each call."""

    class SelectingRPCUnixStreamServer(RPCMixIn, family.SelectingUnixStreamServer):
        """Sun RPC, records over Unix streams: in one loop, a greenlet for each connection."""

    class SelectingRPCUnixDatagramServer(RPCMixIn, family.SelectingUnixDatagramServer):
        """Sun RPC, Unix datagrams: in one loop, a greenlet for each call."""

    class TrioRPCUnixStreamServer(RPCMixIn, family.TrioUnixStreamServer):
        """Sun RPC, records over Unix streams: a trio task for each connection."""

    class TrioRPCUnixDatagramServer(RPCMixIn, family.TrioUnixDatagramServer):
        """Sun RPC, Unix datagrams: a trio task for each call."""

    if hasattr(os, "fork"):
        __all__ += ["ForkingRPCUnixDatagramServer", "ForkingRPCUnixStreamServer"]

        class ForkingRPCUnixStreamServer(RPCMixIn, family.ForkingUnixStreamServer):
            """Sun RPC, records over Unix streams: a process for each connection."""

        class ForkingRPCUnixDatagramServer(RPCMixIn, family.ForkingUnixDatagramServer):
            """Sun RPC, Unix datagrams: a process for each call."""
