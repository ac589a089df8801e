"""A stream endpoint over a server's recorded request: descriptors, urgent bytes and resets reach the recording."""

from __future__ import annotations

from typing import Any

from windsock.endpoints.stream import StreamEndpoint
from windsock.errors import PeerError
from windsock.net.abort import kernel_socket
from windsock.net.ancillary import receive_without
from windsock.net.pushback import give_back, is_tls_handshake
from windsock.net.sockets import is_unix_stream
from windsock.net.system import socket
from windsock.recording.events import Kind
from windsock.scripts import steps as kinds
from windsock.scripts.steps import Step
from windsock.taps.requests import connection_of

__all__ = ["RecordedStream"]


class RecordedStream(StreamEndpoint):
    """Over the request of a stream server, which may be recorded, green or encrypted."""

    def __init__(self, request: Any, **options: Any) -> None:
        super().__init__(request, **options)
        self.may_have_more: bool = self.is_layered  # TLS: the first bytes may have come with the handshake
        self._connection = connection_of(request)
        if self._connection is not None:
            self.inbox.conversation.begin(request, index=self._connection.index)

    def receive(self, size: int) -> bytes:
        """See StreamEndpoint. Descriptors that come with the bytes are recorded and closed."""
        return receive_without(self.sock, size) if is_unix_stream(self.sock) else super().receive(size)

    def _is_at_mark(self) -> bool:
        is_urgent = super()._is_at_mark()
        if is_urgent and self._connection is not None:
            self._connection.note(Kind.URGENT_UP)
        return is_urgent

    def act(self, step: Step, deadline: float) -> None:
        """Carry out a step."""
        if isinstance(step, kinds.Reset):
            self._note_reset()
        super().act(step, deadline)

    def give_back_handshake(self) -> None:
        """Give back to the socket what has come of a client's TLS handshake.

        Raises PeerError for other bytes: what came in the clear must not count as encrypted (RFC 3207, section 6).
        """
        unread = bytes(self.inbox.unread)
        if not is_tls_handshake(unread):
            raise PeerError("unencrypted data came after the request for TLS")
        if unread:
            give_back(self.sock, self.inbox.take(len(unread)))

    def _note_reset(self) -> None:
        """Record a reset before the client can notice it; on a Unix socket it may not be one."""
        is_unix = kernel_socket(self.sock).family == getattr(socket, "AF_UNIX", None)
        if self._connection is not None and not is_unix:
            self._connection.note(Kind.SERVER_RESET)
