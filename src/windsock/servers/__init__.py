"""The ported classes: servers, mix-ins and request handlers, as in the classic `SocketServer` family.

`windsock.servers` has the public names of the standard library's `socketserver` and can stand in for it.
"""

from windsock.net.system import os, socket
from windsock.servers.base import BaseServer
from windsock.servers.combinations import (
    SelectingTCPServer,
    SelectingUDPServer,
    ThreadingTCPServer,
    ThreadingUDPServer,
    TrioTCPServer,
    TrioUDPServer,
)
from windsock.servers.handlers import BaseRequestHandler, DatagramRequestHandler, StreamRequestHandler
from windsock.servers.record_handler import RecordRequestHandler
from windsock.servers.selecting.mixin import SelectingMixIn
from windsock.servers.threads import ThreadingMixIn
from windsock.servers.transports import TCPServer, UDPServer
from windsock.servers.trio.mixin import TrioMixIn
from windsock.servers.urgent import UrgentMixIn

__all__ = [
    "BaseRequestHandler",
    "BaseServer",
    "DatagramRequestHandler",
    "RecordRequestHandler",
    "SelectingMixIn",
    "SelectingTCPServer",
    "SelectingUDPServer",
    "StreamRequestHandler",
    "TCPServer",
    "ThreadingMixIn",
    "ThreadingTCPServer",
    "ThreadingUDPServer",
    "TrioMixIn",
    "TrioTCPServer",
    "TrioUDPServer",
    "UDPServer",
    "UrgentMixIn",
]

__version__ = "0.4"
"""The version of `socketserver` whose interface these classes have, as its own `__version__` gives it."""

if hasattr(os, "fork"):
    from windsock.servers.combinations import ForkingTCPServer, ForkingUDPServer
    from windsock.servers.forking.mixin import ForkingMixIn

    __all__ += ["ForkingMixIn", "ForkingTCPServer", "ForkingUDPServer"]

if hasattr(socket, "AF_UNIX"):
    from windsock.servers.combinations import (
        SelectingUnixDatagramServer,
        SelectingUnixSeqpacketServer,
        SelectingUnixStreamServer,
        ThreadingUnixDatagramServer,
        ThreadingUnixSeqpacketServer,
        ThreadingUnixStreamServer,
        TrioUnixDatagramServer,
        TrioUnixSeqpacketServer,
        TrioUnixStreamServer,
    )
    from windsock.servers.transports import UnixDatagramServer, UnixSeqpacketServer, UnixStreamServer

    __all__ += [
        "SelectingUnixDatagramServer",
        "SelectingUnixSeqpacketServer",
        "SelectingUnixStreamServer",
        "ThreadingUnixDatagramServer",
        "ThreadingUnixSeqpacketServer",
        "ThreadingUnixStreamServer",
        "TrioUnixDatagramServer",
        "TrioUnixSeqpacketServer",
        "TrioUnixStreamServer",
        "UnixDatagramServer",
        "UnixSeqpacketServer",
        "UnixStreamServer",
    ]

    if hasattr(os, "fork"):
        from windsock.servers.combinations import (
            ForkingUnixDatagramServer,
            ForkingUnixSeqpacketServer,
            ForkingUnixStreamServer,
        )

        __all__ += ["ForkingUnixDatagramServer", "ForkingUnixSeqpacketServer", "ForkingUnixStreamServer"]
