"""The named combinations: a mix-in first, then a transport."""

from __future__ import annotations

from windsock.net.system import os, socket
from windsock.servers.selecting.mixin import SelectingMixIn
from windsock.servers.threads import ThreadingMixIn
from windsock.servers.transports import TCPServer, UDPServer, UnixDatagramServer, UnixSeqpacketServer, UnixStreamServer
from windsock.servers.trio.mixin import TrioMixIn

__all__ = [
    "SelectingTCPServer",
    "SelectingUDPServer",
    "ThreadingTCPServer",
    "ThreadingUDPServer",
    "TrioTCPServer",
    "TrioUDPServer",
]


class ThreadingTCPServer(ThreadingMixIn, TCPServer):
    """TCP streams, a thread for each connection."""


class ThreadingUDPServer(ThreadingMixIn, UDPServer):
    """UDP datagrams, a thread for each."""


class SelectingTCPServer(SelectingMixIn, TCPServer):
    """TCP streams in one loop, a greenlet for each connection."""


class SelectingUDPServer(SelectingMixIn, UDPServer):
    """UDP datagrams in one loop, a greenlet for each."""


class TrioTCPServer(TrioMixIn, TCPServer):
    """TCP streams, a trio task for each connection."""


class TrioUDPServer(TrioMixIn, UDPServer):
    """UDP datagrams, a trio task for each."""


if hasattr(socket, "AF_UNIX"):
    __all__ += ["SelectingUnixDatagramServer", "SelectingUnixSeqpacketServer", "SelectingUnixStreamServer"]
    __all__ += ["ThreadingUnixDatagramServer", "ThreadingUnixSeqpacketServer", "ThreadingUnixStreamServer"]
    __all__ += ["TrioUnixDatagramServer", "TrioUnixSeqpacketServer", "TrioUnixStreamServer"]

    class ThreadingUnixStreamServer(ThreadingMixIn, UnixStreamServer):
        """Unix streams, a thread for each connection."""

    class ThreadingUnixSeqpacketServer(ThreadingMixIn, UnixSeqpacketServer):
        """Unix records, a thread for each connection."""

    class ThreadingUnixDatagramServer(ThreadingMixIn, UnixDatagramServer):
        """Unix datagrams, a thread for each."""

    class SelectingUnixStreamServer(SelectingMixIn, UnixStreamServer):
        """Unix streams in one loop, a greenlet for each connection."""

    class SelectingUnixSeqpacketServer(SelectingMixIn, UnixSeqpacketServer):
        """Unix records in one loop, a greenlet for each connection."""

    class SelectingUnixDatagramServer(SelectingMixIn, UnixDatagramServer):
        """Unix datagrams in one loop, a greenlet for each."""

    class TrioUnixStreamServer(TrioMixIn, UnixStreamServer):
        """Unix streams, a trio task for each connection."""

    class TrioUnixSeqpacketServer(TrioMixIn, UnixSeqpacketServer):
        """Unix records, a trio task for each connection."""

    class TrioUnixDatagramServer(TrioMixIn, UnixDatagramServer):
        """Unix datagrams, a trio task for each."""


if hasattr(os, "fork"):
    from windsock.servers.forking.mixin import ForkingMixIn

    __all__ += ["ForkingTCPServer", "ForkingUDPServer"]

    class ForkingTCPServer(ForkingMixIn, TCPServer):
        """TCP streams, a process for each connection."""

    class ForkingUDPServer(ForkingMixIn, UDPServer):
        """UDP datagrams, a process for each."""

    if hasattr(socket, "AF_UNIX"):
        __all__ += ["ForkingUnixDatagramServer", "ForkingUnixSeqpacketServer", "ForkingUnixStreamServer"]

        class ForkingUnixStreamServer(ForkingMixIn, UnixStreamServer):
            """Unix streams, a process for each connection."""

        class ForkingUnixSeqpacketServer(ForkingMixIn, UnixSeqpacketServer):
            """Unix records, a process for each connection."""

        class ForkingUnixDatagramServer(ForkingMixIn, UnixDatagramServer):
            """Unix datagrams, a process for each."""
