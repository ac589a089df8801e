"""Listening sockets by netlink (sock_diag(7)): in a fraction of a millisecond, however many connections there are."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from windsock.net.system import socket

__all__ = ["sockets"]

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
REQUEST_DUMP = 0x301
ERROR, DONE = 2, 3
STATES = {socket.IPPROTO_TCP: 1 << 10, socket.IPPROTO_UDP: 1 << 7}
"""By protocol, the state of sockets that take what comes to their address: listening ones, unconnected ones."""
HEADER = struct.Struct("=IHHII")
REQUEST = struct.Struct("=BBBxI48x")
"""inet_diag_req_v2: family, protocol, extensions, states; of any address."""
ANSWER = struct.Struct("=B3x2s2x16s44xI")
"""inet_diag_msg: family, port, address, ... and inode. Port and address are in the order of the network."""
DEADLINE = 1.0


def sockets(protocol: int) -> Iterator[tuple[bytes, int, str]]:
    """Give (address, port, inode) of each listening or unconnected socket. Raises OSError where there is no answer."""
    for family, size in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
        request = REQUEST.pack(family, protocol, 0, STATES[protocol])
        for payload in _answers(request):
            _, port, address, inode = ANSWER.unpack_from(payload)
            yield address[:size], int.from_bytes(port, "big"), str(inode)


def _answers(request: bytes) -> Iterator[bytes]:
    """Ask the kernel; give its answers up to the last one."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as asker:
        asker.settimeout(DEADLINE)
        asker.send(HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0) + request)
        while True:
            data = asker.recv(65536)
            while data:
                size, kind, *_ = HEADER.unpack_from(data)
                payload, data = data[HEADER.size : size], data[(size + 3) & ~3 :]
                if kind == DONE:
                    return
                if kind == ERROR:
                    raise OSError(-int.from_bytes(payload[:4], "little", signed=True), "sock_diag")
                yield payload
