"""A recording tap: the accepted socket itself, which records its traffic."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from windsock.net import sockets
from windsock.net.sendfile import send_file
from windsock.net.system import monotonic, socket
from windsock.net.urgent import OOB
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.recording.urgency import out_of_line
from windsock.servers import fork_hooks
from windsock.taps.notes import NOWHERE, note_descriptors, note_failure, note_sent, unread_at_end

__all__ = ["Tap", "scatter"]

BLOCK = 256 * 1024
PEEK = int(socket.MSG_PEEK)  # a plain number: enum flags are slow


def scatter(data: bytes, views: Iterable[memoryview]) -> None:
    """Copy data into several buffers, one after the other."""
    position = 0
    for view in views:
        piece = data[position : position + len(view)]
        view[: len(piece)] = piece
        position += len(piece)


if TYPE_CHECKING:
    _AnySocket = socket.socket
else:  # a mix-in for any class of sockets
    _AnySocket = object


class Tap(_AnySocket):
    """Records what is received and sent through a connected stream socket. Comes first among the bases.

    What bypasses the socket object (`os.read` on its descriptor, a duplicate from `dup()`) is not recorded.
    """

    recorded_as: Connection
    """The recorded connection of this request."""
    _connection: Connection
    """The same, or one that records nothing while the tap is muted."""
    _forks_before: int
    _was_shut_down: bool

    def begin_recording(self, connection: Connection) -> None:
        """Record all traffic from here on."""
        self._connection = self.recorded_as = connection
        self._forks_before = fork_hooks.now()
        self._was_shut_down = False

    def mute(self) -> None:
        """Stop recording: the traffic that matters passes through another tap."""
        self._connection = NOWHERE

    def unmute(self) -> None:
        """Undo `mute()`."""
        self._connection = self.recorded_as

    @property
    def is_muted(self) -> bool:
        """Whether another tap records the traffic: that of TLS."""
        return self._connection is not self.recorded_as

    def mark_exchange(self, number: int | None = None) -> None:
        """Record that the server starts with the next message, or that it answers the message with this number."""
        self._connection.note(Kind.MARK, b"" if number is None else b"%d" % number)

    def note_urgent(self, byte: bytes = b"", ahead: int = 0) -> None:
        """Record a byte that has overtaken `ahead` bytes of the stream; without one, that the next byte is urgent."""
        self._connection.note(Kind.URGENT_UP, out_of_line(byte, ahead) if byte else b"")

    def _note_failure(self, error: OSError) -> None:
        note_failure(self._connection, error, self.recorded_as)

    # --- receiving

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """See socket.socket."""
        try:
            data = super().recv(bufsize, flags)
        except OSError as error:
            self._note_failure(error)
            raise
        if data:
            if not flags or not flags & PEEK:
                self._connection.note(Kind.UP, data)
        elif bufsize:
            self._note_end()
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See socket.socket."""
        try:
            size = super().recv_into(buffer, nbytes, flags)
        except OSError as error:
            self._note_failure(error)
            raise
        with memoryview(buffer) as view:
            if size:
                if not flags or not flags & PEEK:
                    self._connection.note(Kind.UP, bytes(view.cast("B")[:size]))
            elif view.nbytes:
                self._note_end()
        return size

    def _note_end(self) -> None:
        """Record the end of the client's stream; in TLS, also a missing close_notify."""
        self._connection.note(Kind.CLIENT_EOF, b"truncated" if getattr(self, "was_truncated", False) else b"")

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """See socket.socket."""
        return self.recv(bufsize, flags), self.getpeername()

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """See socket.socket."""
        return self.recv_into(buffer, nbytes, flags), self.getpeername()

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[bytes, list[Any], int, Any]:
        """See socket.socket."""
        try:
            result = super().recvmsg(bufsize, ancbufsize, flags)
        except OSError as error:
            self._note_failure(error)
            raise
        if result[0]:
            if not flags or not flags & PEEK:
                if result[1]:
                    note_descriptors(self._connection, "took", result[1])
                self._connection.note(Kind.UP, result[0])
        elif bufsize:
            self._connection.note(Kind.CLIENT_EOF)
        return result

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        """See socket.socket."""
        views = [memoryview(each).cast("B") for each in buffers]
        data, ancillary, message_flags, peer = self.recvmsg(sum(map(len, views)), ancbufsize, flags)
        scatter(data, views)
        return len(data), ancillary, message_flags, peer

    # --- sending

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket."""
        whole = data if type(data) is bytes else bytes(memoryview(data).cast("B"))
        if flags:
            note_sent(self._connection, whole, flags)
        else:
            self._connection.note(Kind.DOWN, whole)
        size = 0
        try:
            size = super().send(whole, flags)
        except OSError as error:
            self._note_failure(error)
            raise
        finally:
            if size < len(whole):
                self._connection.retract(len(whole) - size)
        return size

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """See socket.socket. Sends in pieces, so that after a failure it is known what was sent."""
        if type(data) is not bytes or len(data) > BLOCK:
            data = memoryview(data).cast("B")
            if len(data) > BLOCK:
                self._send_blocks(data, flags)
                return
        self._send_whole(bytes(data), flags, None)

    def _send_blocks(self, data: memoryview, flags: int) -> None:
        timeout = self.gettimeout()
        deadline = None if timeout is None else monotonic() + timeout
        last = (len(data) - 1) // BLOCK * BLOCK
        for start in range(0, len(data), BLOCK):
            self._send_whole(bytes(data[start : start + BLOCK]), flags if start == last else flags & ~OOB, deadline)

    def _send_whole(self, whole: bytes, flags: int, deadline: float | None) -> None:
        if flags:
            note_sent(self._connection, whole, flags)
        else:
            self._connection.note(Kind.DOWN, whole)
        size = 0
        try:
            size = super().send(whole, flags)
            if size < len(whole):
                timeout = self.gettimeout()
                if deadline is None and timeout is not None:
                    deadline = monotonic() + timeout
                while size < len(whole):
                    if deadline is not None and monotonic() > deadline:
                        raise TimeoutError("timed out")
                    size += super().send(memoryview(whole)[size:], flags)
        except OSError as error:
            self._note_failure(error)
            raise
        finally:
            if size < len(whole):
                self._connection.retract(len(whole) - size)

    def sendmsg(self, buffers: Iterable[Any], ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        """See socket.socket."""
        whole = b"".join(bytes(memoryview(each).cast("B")) for each in buffers)
        ancdata = list(ancdata)
        if ancdata:
            note_descriptors(self._connection, "gave", ancdata)
        note_sent(self._connection, whole, flags)
        size = 0
        try:
            size = super().sendmsg([whole], ancdata, flags, *([] if address is None else [address]))
        except OSError as error:
            self._note_failure(error)
            raise
        finally:
            if size < len(whole):
                self._connection.retract(len(whole) - size)
        return size

    def sendto(self, data: Any, *rest: Any) -> int:
        """See socket.socket. On a stream the address has no effect."""
        return self.send(data, rest[0] if len(rest) > 1 else 0)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """See socket.socket. Reads the file, since its bytes are recorded."""
        return send_file(self.sendall, file, offset, count, BLOCK)

    # --- ending

    def shutdown(self, how: int, /) -> None:
        """See socket.socket."""
        if how == socket.SHUT_RD or self.fileno() < 0:
            super().shutdown(how)
            return
        self._was_shut_down = True
        with self._connection.noted_after(Kind.HALF_CLOSE):
            super().shutdown(how)

    def _real_close(self, *args: Any) -> None:
        """Record the end, unless a forked child continues with the connection."""
        close = super()._real_close  # type: ignore[misc]  # socket.socket's own hook for the last close
        if self.fileno() < 0 or (fork_hooks.forked_since(self._forks_before) and not self._was_shut_down):
            close(*args)
            return
        with self._connection.noted_after(Kind.CLOSE, unread_at_end(self._connection, self)):
            if self.recorded_as.is_in_child and not self._was_shut_down:
                self._end_stream()
            close(*args)

    def _end_stream(self) -> None:
        """End the stream in a forked child, since the parent's copy of the socket may still be open.

        With SO_LINGER of 0 seconds, reset the connection.
        """
        if not isinstance(self, socket.socket):  # a wrapper such as TLS, which closes the socket below
            return
        with contextlib.suppress(OSError):
            linger = self.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(sockets.NO_LINGER))
            if linger != sockets.NO_LINGER or not sockets.is_ip(self) or not sockets.dissolve(self.fileno()):
                super().shutdown(socket.SHUT_WR)
