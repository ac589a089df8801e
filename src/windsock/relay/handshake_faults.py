"""Faults of a TLS handshake, on its records as they pass a relay; no keys are needed for that (RFC 8446, section 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from windsock.faults.items import ConnectionClose, End, Item
from windsock.faults.kinds.tls_alert import TLSAlert
from windsock.faults.kinds.tls_plaintext import TLSPlaintext
from windsock.faults.kinds.tls_stall import TLSStall
from windsock.faults.kinds.tls_truncate import TLSTruncate
from windsock.net.event_loop import EventLoop
from windsock.net.system import monotonic

if TYPE_CHECKING:
    from windsock.faults import Fault, FaultSet

__all__ = ["HandshakeFaults", "Records", "handshake_faults_for"]

CHANGE_CIPHER, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
"""Types of records (RFC 8446, section 5.1)."""
HEADER = 5
CLIENT_HELLO = 1
FATAL = 2
OVERHEAD = 17
"""The bytes of a TLS 1.3 record besides its plaintext, with the usual ciphers: one of type, 16 of tag."""
GOODBYE = 0.05
"""Seconds after which a record that may be the server's last one (close_notify) is taken as such."""
ENCRYPTED_ALERT = HEADER + 2 + OVERHEAD


class Records:
    """Cuts complete TLS records out of a stream."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add received data; return the records that are complete."""
        self._bytes += data
        found = []
        while len(self._bytes) >= HEADER:
            size = HEADER + int.from_bytes(self._bytes[3:HEADER], "big")
            if len(self._bytes) < size:
                break
            found.append(bytes(self._bytes[:size]))
            del self._bytes[:size]
        return found

    def rest(self) -> bytes:
        """Return and remove the bytes of an incomplete record."""
        rest = bytes(self._bytes)
        self._bytes.clear()
        return rest


class _Relay(Protocol):
    """The relay whose records pass."""

    event_loop: EventLoop
    is_over: bool

    def send_down(self, *items: memoryview | Item) -> None: ...


class HandshakeFaults:
    """Watches the records of one relayed connection, and acts once the stage of a fault has passed.

    The faults are requested with the client's first bytes, if those are TLS. After "client_hello" an alert is
    unencrypted, where TLS 1.3 expects an encrypted one: a client may report a broken record.
    """

    def __init__(self, relay: _Relay, ask: Callable[[], list[Fault]], note: Callable[[str], object]) -> None:
        self._relay = relay
        self._ask = ask
        self._note = note
        self._faults: list[Fault] | None = None
        self._up, self._down = Records(), Records()
        self._has_server_spoken = False
        self._is_new_tls = False
        """Whether it is TLS 1.3, in which the client sends the last message of a handshake."""
        self._has_server_changed_cipher = False
        self._is_over = False
        """Whether nothing passes any more."""
        self._held = b""
        self._sent = 0

    def upward(self, data: bytes) -> bytes:
        """Return the part of the client's data to pass on."""
        if self._faults is None:
            self._faults = self._ask() if data[:1] == bytes([HANDSHAKE]) else []
        if not self._faults:
            return data
        return b"".join(map(self._client_record, self._up.feed(data)))

    def downward(self, data: bytes) -> bytes:
        """Return the part of the server's data to pass on."""
        if not self._faults:
            return data
        return b"".join(map(self._server_record, self._down.feed(data)))

    def ended(self, *, is_client: bool) -> bytes:
        """Return the data that is still passed on when an end's stream has ended."""
        if is_client:
            return b"" if self._is_over else self._up.rest()
        held, self._held = self._held, b""
        is_goodbye = len(held) == ENCRYPTED_ALERT or held[:1] == bytes([ALERT])
        if is_goodbye and not self._is_over:
            self._note_truncation()
        return b"" if self._is_over or is_goodbye else held + self._down.rest()

    def _client_record(self, record: bytes) -> bytes:
        if self._is_over:
            return b""
        if record[0] == HANDSHAKE and record[HEADER : HEADER + 1] == bytes([CLIENT_HELLO]):
            self._act("client_hello")
        elif self._has_server_spoken:
            self._act("server_hello")
            if self._passes(record) and record[0] == APPLICATION:
                self._is_new_tls = True
                self._is_over = self._stalls_when_finished()
                return record
        return self._passes(record)

    def _passes(self, record: bytes) -> bytes:
        return b"" if self._is_over else record

    def _server_record(self, record: bytes) -> bytes:
        if self._is_over:
            return b""
        self._has_server_spoken = True
        if record[0] == CHANGE_CIPHER:
            self._has_server_changed_cipher = True
        elif record[0] == HANDSHAKE and self._has_server_changed_cipher:  # TLS 1.2: the server sends the last message
            self._is_over = self._stalls_when_finished()
            return record
        return self._truncated(record)

    def _stalls_when_finished(self) -> bool:
        for fault in self._faults or ():
            if isinstance(fault, TLSAlert) and fault.stage == "finished":
                self._say_and_close(_alert(fault))
        stalls = any(isinstance(fault, TLSStall) and fault.stage == "finished" for fault in self._faults or ())
        return stalls or self._is_over

    def _act(self, stage: str) -> None:
        for fault in self._faults or ():
            if isinstance(fault, TLSPlaintext) and stage == "client_hello":
                self._say_and_close(fault.data)
            elif isinstance(fault, TLSAlert) and fault.stage == stage:
                self._say_and_close(_alert(fault))
            elif isinstance(fault, TLSStall) and fault.stage == stage:
                self._is_over = True

    def _say_and_close(self, data: bytes) -> None:
        if not self._is_over:
            self._is_over = True
            self._relay.send_down(memoryview(data), ConnectionClose(0.0))

    def _truncated(self, record: bytes) -> bytes:
        """Return the part of the server's data to pass on, so that close_notify never arrives."""
        faults = [fault for fault in self._faults or () if isinstance(fault, TLSTruncate)]
        if not faults:
            return record
        limit = faults[0].after_bytes
        held, self._held = self._held, b""
        if limit is None:
            if record[0] != ALERT and len(record) != ENCRYPTED_ALERT:
                return held + record
            self._held = record
            self._relay.event_loop.at(monotonic() + GOODBYE, lambda: self._take_for_goodbye(record))
            return held
        if record[0] == APPLICATION and self._is_new_tls:
            self._sent += max(0, len(record) - HEADER - OVERHEAD)
            if self._sent >= limit:
                self._is_over = True
                self._relay.event_loop.call(self._end_downward)
        return record

    def _take_for_goodbye(self, record: bytes) -> None:
        """Treat the record as close_notify: nothing has followed it."""
        if self._held is record:
            self._held = b""
            self._is_over = True
            self._end_downward()

    def _note_truncation(self) -> None:
        self._note(next(each.words for each in self._faults or () if isinstance(each, TLSTruncate)))

    def _end_downward(self) -> None:
        if not self._relay.is_over:
            self._note_truncation()
            self._relay.send_down(End(0.0))


def _alert(fault: TLSAlert) -> bytes:
    return bytes([ALERT, 3, 3, 0, 2, FATAL, fault.number])


def handshake_faults_for(
    relay: _Relay,
    fault_set: FaultSet,
    *,
    connection: int,
    peer: object,
    note: Callable[[str], object],
) -> HandshakeFaults | None:
    """Return the object that acts on the handshake of a connection, or None if no fault does.

    It calls `note` with what a fault does that acts later than it fires.
    """
    if not any("handshake" in each.fault.applies_to and each.is_active for each in fault_set.handles):
        return None
    return HandshakeFaults(
        relay, lambda: fault_set.at_handshake(connection=connection, now=monotonic(), peer=peer), note
    )
