"""Runs a program beside a portmapper on port 111 and two servers that are registered there: private_portmapper PROGRAM.

For a network namespace of its own, whose loopback interface is down at first.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys
from typing import Any

from tests.programs.harbour import Harbour
from windsock import serving
from windsock.protocols import portmap
from windsock.servers import rpc
from windsock.servers.rpc import Portmapper

SIOCSIFFLAGS = 0x8914
IFF_UP, IFF_RUNNING = 0x1, 0x40


class OverTCP(rpc.ThreadingRPCTCPServer):
    """Registers itself."""

    portmapper: Any = ("127.0.0.1", portmap.PORT)


class OverUDP(rpc.ThreadingRPCUDPServer):
    """The same, over UDP."""

    portmapper: Any = ("127.0.0.1", portmap.PORT)


def start_loopback() -> None:
    """Set the flags of the interface; see netdevice(7)."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING))


def main(command: list[str]) -> int:
    """Return the exit status of the program."""
    start_loopback()
    with serving(Portmapper, port=portmap.PORT), serving(OverTCP, Harbour), serving(OverUDP, Harbour):
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=False, timeout=15).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
