"""The events of a connection, as plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Chunk", "Direction", "Ending", "Kind", "ScriptState"]


class Direction(enum.StrEnum):
    """Which way bytes go."""

    UPSTREAM = "upstream"
    """Client to server."""
    DOWNSTREAM = "downstream"
    """Server to client."""


class Kind:
    """Kinds of events. Plain integers, since one is noted for every few bytes."""

    UP = 0
    """The server took data from the client."""
    DOWN = 1
    """The server gave data to the client."""
    MARK = 2
    """The server turned to the next message."""
    CLIENT_EOF = 3
    CLIENT_RESET = 4
    TIMEOUT = 5
    RETRACT = 10
    """Some bytes of the latest data for the client did not go out; the data is their number."""
    HALF_CLOSE = 6
    """The server has sent its end of the stream."""
    CLOSE = 7
    """The server has closed the connection."""
    ERROR = 8
    """The handler failed; the data is the error, pickled, if it comes from another process."""
    TAKEN = 9
    """A process took the connection over; the data is its pid."""
    TLS = 11
    """A TLS handshake was over; the data is what it came to, a TLSHandshake, pickled."""
    REFUSED = 12
    """The server turned the client away; the data is the reason."""
    FAULT = 13
    """A fault did something on purpose; the data says what, in words."""
    SERVER_RESET = 14
    """The server reset the connection, or was gone when data came for it (behind a proxy); the data is the reason."""
    SCRIPT = 15
    """The script of a fake on the connection has come so far; the data is its ScriptState, and where it stands."""
    REST = 16
    """In a forked child: a fake lets time pass on the connection; the data is until when, in monotonic seconds."""
    BEGINS = 17
    """A forked child is about to make the call that makes another event true; the data is that event's kind."""
    DELIVERED = 18
    """A relay has passed the server's end of the stream on to the client, or has ended the client's connection."""
    RETRACT_UP = 19
    """Some bytes of the latest data from the client belong to a TLS handshake; the data is their number."""
    TLS_END = 20
    """TLS has ended both ways; what follows is in the clear."""
    TLS_ALERT = 21
    """The client has ended TLS with an alert; the data is its name."""
    NOTE = 22
    """Something came, went or was lost that is no byte of a stream; the data says what, in words."""


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
    """The client closed, or half-closed, its side first."""
    CLIENT_RESET = "client reset"
    """The client reset the connection (RST), or was gone when the server wrote to it."""
    SERVER_CLOSE = "server close"
    """The server closed before it had seen the client's end."""
    TIMEOUT = "timeout"
    """The server closed after it had waited for the client in vain."""
    STOPPED = "stopped"
    """The server was stopped while the connection was open."""
    HANDSHAKE_FAILED = "handshake failed"
    """There was no TLS with the client; `Connection.tls` says why."""
    TLS_ALERT = "TLS alert"
    """The client ended TLS with an alert, after the handshake; `Connection.tls.alert` says which."""
    SERVER_RESET = "server reset"
    """The server reset the connection, or was gone (behind a proxy)."""
    REFUSED = "refused"
    """The server did not want to talk to this client; `Connection.refused` says why."""
    HANDLER_DIED = "handler died"
    """The process that handled the connection was killed, or left without a word."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as one call took or gave them: `time` in monotonic seconds."""

    time: float
    direction: Direction
    data: bytes
