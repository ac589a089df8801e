"""What a test does to a connection itself, beside the rules or the handler that serve it."""

from __future__ import annotations

from typing import SupportsBytes

from windsock.errors import PeerError, UsageError
from windsock.net.deadlines import is_seconds
from windsock.protocols.values import as_bytes
from windsock.recording.null_recorder import NO_RECORDER, Hand, NullRecorder

__all__ = ["ConnectionEnded", "InHand"]


class ConnectionEnded(PeerError):
    """A test acted on a connection that has ended. `call` is what it called, `index` the connection, `how` its end."""

    def __init__(self, call: str, index: int, how: str) -> None:
        self.call = call
        self.index = index
        self.how = how
        super().__init__(f"{call}: connection #{index} has ended ({how})")

    def __reduce__(self) -> tuple[type[ConnectionEnded], tuple[str, int, str]]:
        return type(self), (self.call, self.index, self.how)


class InHand:
    """The methods of a recorded connection by which a test acts on it. They work from any thread of the test.

    The handler, or the fake, goes on: it sees what it would see if the client had caused it. What they send is recorded
    like all the rest, with a note that the test has sent it. Each raises ConnectionEnded for a connection that has
    ended, and UsageError for one of a proxy, of a server that was stopped, and for what the connection cannot do.
    """

    index: int
    is_datagram: bool
    _recorder: NullRecorder

    def send(self, data: bytes | SupportsBytes, *, timeout: float | None = None) -> None:
        """Send bytes, or a protocol's message, to the client now: `server.connections[0].send(b"NEWS")`.

        They come between what the handler sends, in no other order than that of the calls. On a datagram's connection
        it is another datagram to its client. `timeout` bounds the wait for a client that does not read, in seconds; the
        server's own by default. Raises WaitTimeout; and UsageError where a forked child speaks TLS, as only it has the
        keys.
        """
        encoded = as_bytes(data)
        if encoded is None or not (encoded or self.is_datagram):
            raise UsageError(f"send({data!r}): expected the bytes to send")
        if timeout is not None and not is_seconds(timeout):
            raise UsageError(f"send(timeout={timeout!r}): expected seconds, 0 or more")
        self._hand("send(...)").send(self, encoded, timeout)

    def half_close(self) -> None:
        """End the server's stream: the client sees its end (EOF), and can still send. In TLS, with close_notify."""
        self._hand("half_close()").end(self, "half_close")

    def close(self) -> None:
        """End the connection both ways. The client sees its end, and the handler the end of what the client sends."""
        self._hand("close()").end(self, "close")

    def reset(self) -> None:
        """Reset the connection (RST): at once, for the client and for the handler. A Unix socket is closed instead."""
        self._hand("reset()").end(self, "reset")

    def _hand(self, call: str) -> Hand:
        hand = self._recorder.hand
        if hand is None:
            over = "its server was stopped" if self._recorder is NO_RECORDER else "it is a proxy's"
            raise UsageError(f"{call}: nothing can be done to connection #{self.index}, as {over}")
        return hand
