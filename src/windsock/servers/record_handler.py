"""The request handler for records: the connections of a UnixSeqpacketServer."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from windsock.errors import UsageError
from windsock.net.records import LARGEST_RECORD, TRUNCATED
from windsock.servers.handlers import BaseRequestHandler

__all__ = ["EMPTY", "RecordRequestHandler", "too_long"]

EMPTY = "an empty record looks like the end of the connection to its receiver; send 1 byte or more"


class RecordRequestHandler(BaseRequestHandler):
    """A handler that receives and sends records.

    `max_record_size` (bytes) is the longest record that it takes; `timeout` (seconds or None) bounds each wait for the
    client.
    """

    max_record_size = LARGEST_RECORD
    timeout: float | None = None

    def setup(self) -> None:
        """Set the timeout. May be extended (call super)."""
        if self.timeout is not None:
            self.request.settimeout(self.timeout)

    def recv_record(self) -> bytes:
        """Return the next record, or b"" at the end of the connection.

        To the kernel's receiver an empty record is the same as the end. Raises OSError (EMSGSIZE) for a record longer
        than `max_record_size`, whose rest is lost; TimeoutError after `timeout`.
        """
        data: bytes
        data, _, flags, _ = self.request.recvmsg(self.max_record_size)
        if flags & TRUNCATED:
            raise too_long(self.max_record_size)
        return data

    def records(self) -> Iterator[bytes]:
        """Yield each record until the end of the connection. Raises as `recv_record()`."""
        return iter(self.recv_record, b"")

    def send_record(self, data: bytes) -> None:
        """Send one record. Raises UsageError for an empty one, OSError (EMSGSIZE) for one that is too long to send."""
        if not data:
            raise UsageError(f"send_record({data!r}): {EMPTY}")
        self.request.send(data)


def too_long(limit: int) -> OSError:
    """Return the exception for a record that was longer than its receiver's buffer."""
    return OSError(errno.EMSGSIZE, f"a record has more than {limit} bytes; its rest is lost")
