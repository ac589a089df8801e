"""The events of a connection, as plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Chunk", "Direction", "Ending", "Kind", "ScriptState"]


class Direction(enum.StrEnum):
    """The direction of bytes."""

    UPSTREAM = "upstream"
    """Client to server."""
    DOWNSTREAM = "downstream"
    """Server to client."""


class Kind:
    """Kinds of events. Plain integers, since there is one for every few bytes."""

    UP = 0
    """The server received data from the client."""
    DOWN = 1
    """The server sent data to the client."""
    MARK = 2
    """The server started with the next message."""
    CLIENT_EOF = 3
    CLIENT_RESET = 4
    TIMEOUT = 5
    RETRACT = 10
    """Some bytes of the latest data for the client were not sent; the data is their number."""
    HALF_CLOSE = 6
    """The server has ended its stream."""
    CLOSE = 7
    """The server has closed the connection; the data is the number of bytes that it had not read, if there were any."""
    ERROR = 8
    """The handler failed; the data is the pickled error, if it comes from another process."""
    TAKEN = 9
    """A process took over the connection; the data is its pid."""
    TLS = 11
    """A TLS handshake ended; the data is its result, a pickled TLSHandshake."""
    REFUSED = 12
    """The server refused the client; the data is the reason."""
    FAULT = 13
    """A fault fired; the data describes it."""
    SERVER_RESET = 14
    """The server reset the connection, or was gone when data came for it (behind a proxy); the data is the reason."""
    SCRIPT = 15
    """The script of a fake on the connection has come so far.

    The data is the script's name, a colon, its ScriptState, and where it stands."""
    REST = 16
    """In a forked child: a fake pauses on the connection; the data is until when, in monotonic seconds."""
    BEGINS = 17
    """A forked child is about to make the call that makes another event true; the data is that event's kind."""
    DELIVERED = 18
    """A relay has passed the server's end of the stream on to the client, or has ended the client's connection."""
    RETRACT_UP = 19
    """Some bytes of the latest data from the client belong to a TLS handshake; the data is their number."""
    TLS_END = 20
    """TLS has ended both ways; what follows is unencrypted."""
    TLS_ALERT = 21
    """The client has ended TLS with an alert; the data is its name."""
    NOTE = 22
    """Something other than stream bytes came, went or was lost; the data describes it."""
    URGENT_UP = 23
    """The next byte from the client is urgent. With data: an urgent byte came out of line (`urgency.out_of_line`)."""
    URGENT_DOWN = 24
    """The next byte for the client is urgent."""


class ScriptState(enum.StrEnum):
    """How far the script of a fake has come on a connection."""

    BEGUN = "begun"
    RESTING = "resting"
    """Between two rounds of a loop without an end."""
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """The server was stopped before its end."""


class Ending(enum.StrEnum):
    """How a connection ended, and by whom, as its handler saw it."""

    CLIENT_EOF = "client EOF"
    """The client closed, or half-closed, its end first."""
    CLIENT_RESET = "client reset"
    """The client reset the connection (RST), or was gone when the server wrote to it."""
    SERVER_CLOSE = "server close"
    """The server closed before it had seen the client's end."""
    TIMEOUT = "timeout"
    """The server closed after waiting for the client in vain."""
    STOPPED = "stopped"
    """The server was stopped while the connection was open."""
    HANDSHAKE_FAILED = "handshake failed"
    """The TLS handshake with the client failed; `Connection.tls` says why."""
    TLS_ALERT = "TLS alert"
    """The client ended TLS with an alert, after the handshake; `Connection.tls.alert` says which."""
    SERVER_RESET = "server reset"
    """The server reset the connection, or was gone (behind a proxy)."""
    REFUSED = "refused"
    """The server refused the client; `Connection.refused` says why."""
    HANDLER_DIED = "handler died"
    """The process that handled the connection was killed, or exited without an error report."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of one call: `time` in monotonic seconds."""

    time: float
    direction: Direction
    data: bytes
