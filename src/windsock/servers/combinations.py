"""The named combinations: a mix-in first, then a transport."""

from __future__ import annotations

import os
import socket

from windsock.servers.threads import ThreadingMixIn
from windsock.servers.transports import TCPServer, UDPServer, UnixDatagramServer, UnixStreamServer

__all__ = ["ThreadingTCPServer", "ThreadingUDPServer"]


class ThreadingTCPServer(ThreadingMixIn, TCPServer):
    """TCP streams, a thread for each connection."""


class ThreadingUDPServer(ThreadingMixIn, UDPServer):
    """UDP datagrams, a thread for each."""


if hasattr(socket, "AF_UNIX"):
    __all__ += ["ThreadingUnixDatagramServer", "ThreadingUnixStreamServer"]

    class ThreadingUnixStreamServer(ThreadingMixIn, UnixStreamServer):
        """Unix streams, a thread for each connection."""

    class ThreadingUnixDatagramServer(ThreadingMixIn, UnixDatagramServer):
        """Unix datagrams, a thread for each."""


if hasattr(os, "fork"):
    from windsock.servers.forking import ForkingMixIn

    __all__ += ["ForkingTCPServer", "ForkingUDPServer"]

    class ForkingTCPServer(ForkingMixIn, TCPServer):
        """TCP streams, a process for each connection."""

    class ForkingUDPServer(ForkingMixIn, UDPServer):
        """UDP datagrams, a process for each."""

    if hasattr(socket, "AF_UNIX"):
        __all__ += ["ForkingUnixDatagramServer", "ForkingUnixStreamServer"]

        class ForkingUnixStreamServer(ForkingMixIn, UnixStreamServer):
            """Unix streams, a process for each connection."""

        class ForkingUnixDatagramServer(ForkingMixIn, UnixDatagramServer):
            """Unix datagrams, a process for each."""
