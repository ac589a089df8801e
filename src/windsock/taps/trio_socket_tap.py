"""Recording taps on the sockets of trio: what one SocketStream receives and sends."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from windsock.net.records import keeps_records
from windsock.net.system import socket
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.recording.urgency import out_of_line
from windsock.taps.notes import note_descriptors, note_failure, note_sent, unread_at_end
from windsock.taps.stream_tap import scatter
from windsock.taps.trio_tap import BLOCK, TrioTap

if TYPE_CHECKING:
    import trio

__all__ = ["SocketTap"]

PEEK = int(socket.MSG_PEEK)


class SocketTap(TrioTap):
    """Records what one SocketStream receives and sends, and how it ends.

    It replaces methods of the stream's trio socket, which all of the stream's own methods use; `plain` is the socket
    below. What bypasses them (`os.read` on the descriptor, a duplicate) is not recorded.
    """

    names = (
        "recv",
        "recv_now",
        "note_urgent",
        "recv_into",
        "recvmsg",
        "recvmsg_into",
        "send",
        "sendmsg",
        "shutdown",
        "close",
    )

    def __init__(self, stream: trio.SocketStream, connection: Connection, plain: socket.socket) -> None:
        import trio

        super().__init__(stream, stream.socket, connection, plain)
        self._send_all = stream.send_all
        self._plain = plain
        self._block = sys.maxsize if keeps_records(plain) else BLOCK
        self._left = 0
        """The bytes of a block that `send_all()` has recorded and that were not sent yet."""
        self._lowlevel = trio.lowlevel
        self._recvmsg, self._sendmsg = stream.socket.recvmsg, stream.socket.sendmsg
        self._shutdown = stream.socket.shutdown
        self._close = stream.socket.close

    def install(self) -> None:
        """Replace the object's methods."""
        super().install()
        self.stream.send_all = self.send_all

    def uninstall(self) -> None:
        """Restore the stream's methods."""
        super().uninstall()
        del self.stream.send_all

    async def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """See socket.socket."""
        lowlevel, plain = self._lowlevel, self._plain
        await lowlevel.checkpoint_if_cancelled()
        try:
            try:
                data = plain.recv(bufsize, flags)
            except BlockingIOError:
                data = await self._recv_when_ready(bufsize, flags)
            else:
                await lowlevel.cancel_shielded_checkpoint()
        except OSError as error:
            note_failure(self._connection, error)
            raise
        if data:
            if not (flags and flags & PEEK):
                self._connection.note(Kind.UP, data)
        elif bufsize:
            self._connection.note(Kind.CLIENT_EOF)
        return data

    def recv_now(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive without waiting. Raises BlockingIOError."""
        try:
            data = self._plain.recv(bufsize, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            note_failure(self._connection, error)
            raise
        if data:
            self._connection.note(Kind.UP, data)
        elif bufsize:
            self._connection.note(Kind.CLIENT_EOF)
        return data

    def note_urgent(self, byte: bytes = b"", ahead: int = 0) -> None:
        """See Tap."""
        self._connection.note(Kind.URGENT_UP, out_of_line(byte, ahead) if byte else b"")

    async def _recv_when_ready(self, bufsize: int, flags: int) -> bytes:
        while True:
            await self._lowlevel.wait_readable(self._plain)
            try:
                return self._plain.recv(bufsize, flags)
            except BlockingIOError:
                pass

    async def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See socket.socket."""
        with memoryview(buffer) as view, view.cast("B") as target:
            data = await self.recv(min(nbytes or len(target), len(target)), flags)
            target[: len(data)] = data
        return len(data)

    async def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[bytes, list[Any], int, Any]:
        """See socket.socket."""
        try:
            result: tuple[bytes, list[Any], int, Any] = await self._recvmsg(bufsize, ancbufsize, flags)
        except OSError as error:
            note_failure(self._connection, error)
            raise
        data, ancillary, _, _ = result
        if data and not (flags and flags & PEEK):
            note_descriptors(self._connection, "took", ancillary)
            self._connection.note(Kind.UP, data)
        elif bufsize and not data:
            self._connection.note(Kind.CLIENT_EOF)
        return result

    async def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        """See socket.socket."""
        views = [memoryview(each).cast("B") for each in buffers]
        data, ancillary, message_flags, peer = await self.recvmsg(sum(map(len, views)), ancbufsize, flags)
        scatter(data, views)
        return len(data), ancillary, message_flags, peer

    async def sendmsg(self, buffers: Iterable[Any], ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        """See socket.socket."""
        whole = b"".join(bytes(memoryview(each).cast("B")) for each in buffers)
        ancdata = list(ancdata)
        note_descriptors(self._connection, "gave", ancdata)
        note_sent(self._connection, whole, flags)
        size = 0
        try:
            size = await self._sendmsg([whole], ancdata, flags, *([] if address is None else [address]))
        except OSError as error:
            note_failure(self._connection, error)
            raise
        finally:
            self._connection.retract(len(whole) - size)
        return size

    async def send_all(self, data: Any) -> None:
        """See trio.abc.SendStream. Sends in blocks, so that after a failure it is known what was sent."""
        if self._left or not data:
            await self._send_all(data)  # raises BusyResourceError
        elif type(data) is bytes and len(data) <= self._block:
            await self._send_block(data)
        else:
            with memoryview(data) as view, view.cast("B") as whole:
                for start in range(0, len(whole), self._block):
                    await self._send_block(bytes(whole[start : start + self._block]))

    async def _send_block(self, block: bytes) -> None:
        self._connection.note(Kind.DOWN, block)
        self._left = len(block)
        try:
            await self._send_all(block)
        finally:
            left, self._left = self._left, 0
            self._connection.retract(left)

    async def _send_noted(self, data: Any, flags: int) -> int:
        """Send some of the data that `send_all()` has recorded."""
        lowlevel, plain = self._lowlevel, self._plain
        try:
            try:
                size = plain.send(data, flags)
            except BlockingIOError:
                size = await self._send_when_ready(data, flags)
            else:
                await lowlevel.cancel_shielded_checkpoint()
        except OSError as error:
            note_failure(self._connection, error)
            raise
        self._left -= size
        return size

    async def _send_when_ready(self, data: Any, flags: int) -> int:
        while True:
            await self._lowlevel.wait_writable(self._plain)
            try:
                return self._plain.send(data, flags)
            except BlockingIOError:
                pass

    async def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket. Recorded before the kernel gets the data, so that it is there when the client has it."""
        lowlevel = self._lowlevel
        await lowlevel.checkpoint_if_cancelled()
        if self._left:
            return await self._send_noted(data, flags)
        block = self._block
        whole = data if type(data) is bytes and len(data) <= block else bytes(memoryview(data).cast("B")[:block])
        size = self._send_now(whole, flags)
        if size is not None:
            await lowlevel.cancel_shielded_checkpoint()
            return size
        while size is None:
            await lowlevel.wait_writable(self._plain)
            size = self._send_now(whole, flags)
        return size

    def _send_now(self, whole: bytes, flags: int) -> int | None:
        """Return how many bytes the kernel has taken; None if it has no room."""
        connection = self._connection
        if flags:
            note_sent(connection, whole, flags)
        else:
            connection.note(Kind.DOWN, whole)
        size = None
        try:
            size = self._plain.send(whole, flags)
        except BlockingIOError:
            pass
        except OSError as error:
            note_failure(connection, error)
            raise
        finally:
            if size is None or size < len(whole):
                connection.retract(len(whole) - (size or 0))
        return size

    def shutdown(self, how: int) -> None:
        """See socket.socket."""
        if how == socket.SHUT_RD or self._plain.fileno() < 0:
            self._shutdown(how)
            return
        with self._connection.noted_after(Kind.HALF_CLOSE):
            self._shutdown(how)

    def close(self) -> None:
        """See socket.socket."""
        if self._plain.fileno() < 0:
            self._close()
            return
        with self._connection.noted_after(Kind.CLOSE, unread_at_end(self._connection, self._plain)):
            self._close()
