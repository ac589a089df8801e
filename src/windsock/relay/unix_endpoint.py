"""An endpoint of a relayed stream that is a Unix socket: descriptors and credentials pass with the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windsock.net.ancillary import LOST, Credentials, send_with
from windsock.net.unix_reader import UnixReader
from windsock.relay.buffered_endpoint import BufferedEndpoint

if TYPE_CHECKING:
    from windsock.faults.items import Attachment

__all__ = ["UnixEndpoint"]


class UnixEndpoint(BufferedEndpoint):
    """An endpoint that is a Unix socket.

    The kernel lets an unprivileged process send only its own credentials (unix(7)). Credentials of other processes that
    cannot be passed on are noted in the recording.
    """

    def _prepare(self) -> None:
        super()._prepare()
        self._reader = UnixReader(self.socket)
        self._receive = self._receive_attached
        self._may_stand_in = True

    def _receive_attached(self, memory: memoryview) -> int:
        reader = self._reader
        size = reader.recv_into(memory)
        if reader.descriptors is not None:
            self.attached, reader.descriptors = reader.descriptors, None
            self.relay.note(f"{self.attached} with the next byte from the {self._name()}")
        if reader.lost:
            reader.lost = False
            self.relay.note(LOST)
        return size

    def _name(self) -> str:
        return "client" if self.is_client else "server"

    def may_have_more(self) -> bool:
        """See BufferedEndpoint."""
        return self._reader.has_more()

    def sender(self) -> Credentials | None:
        """Return the credentials of the process that sent the latest data, or None for this process."""
        return self._reader.credentials

    def write(self, data: memoryview) -> int:
        """See RelayEndpoint."""
        return self._write(data, None)

    def _is_at_mark(self) -> bool:
        return not self._reader.has_more() and super()._is_at_mark()

    def _write_attached(self, data: memoryview, attached: Attachment) -> int:
        size = self._write(data, attached)
        if size:
            attached.close()
        return size

    def _write(self, data: memoryview, attached: Attachment | None) -> int:
        source = self.inflow.source
        sender = source.sender() if self._may_stand_in and isinstance(source, UnixEndpoint) else None
        try:
            return send_with(self.socket, data, attached, sender, self._cannot)
        except (BlockingIOError, InterruptedError):
            return 0

    def _cannot(self, words: str) -> None:
        self._may_stand_in = False
        self.relay.note(words)

    def close(self, *, orderly: bool) -> None:
        """See RelayEndpoint."""
        super().close(orderly=orderly)
        self._reader.close()
        if self.attached is not None:
            self.attached.close()
