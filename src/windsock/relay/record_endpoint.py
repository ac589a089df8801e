"""An endpoint of a relayed connection that keeps records: each record passes as one, or not at all."""

from __future__ import annotations

import contextlib
from typing import Any

from windsock.net.ancillary import CLOEXEC, CUT, LOST, ROOM, Credentials, of_another, sorted_out
from windsock.net.records import LARGEST_RECORD, TRUNCATED
from windsock.net.system import socket
from windsock.relay.unix_endpoint import UnixEndpoint

__all__ = ["RecordEndpoint"]


class RecordEndpoint(UnixEndpoint):
    """An endpoint that is a Unix socket with records (SOCK_SEQPACKET).

    An empty record ends the direction, as it does for a receiver that calls recv(2).
    """

    piece = LARGEST_RECORD
    bulk = LARGEST_RECORD + 1  # memory that is lent has less room than a record may need

    def _prepare(self) -> None:
        super()._prepare()
        self._sender: Credentials | None = None
        with contextlib.suppress(OSError):  # room for any record that can be read
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST_RECORD)

    def _receive_attached(self, memory: memoryview) -> int:
        size: int
        size, ancillary, flags, _ = self.socket.recvmsg_into([memory[:LARGEST_RECORD]], ROOM, CLOEXEC)
        self.attached, self._sender = _found(ancillary)
        if self.attached is not None:
            self.relay.note(f"{self.attached} with the next record from the {self._name()}")
        if flags & CUT:
            self.relay.note(LOST)
        if flags & TRUNCATED:
            self.relay.note(f"a record from the {self._name()} was cut to {size} B: the rest is lost")
        return size

    def sender(self) -> Credentials | None:
        """See UnixEndpoint."""
        return self._sender

    def _is_at_mark(self) -> bool:
        """Return False: records have no urgent data."""
        return False


def _found(ancillary: list[Any]) -> tuple[Any, Credentials | None]:
    descriptors, credentials = sorted_out(ancillary)
    return descriptors, of_another(credentials)
