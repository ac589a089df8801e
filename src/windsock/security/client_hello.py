"""Reads from a client's first TLS bytes what it asks for, which the ssl module does not report."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["HANDSHAKE", "ClientHello", "is_whole_record", "read_client_hello"]

HEADER = 5
"""The size of a record's header: its type, the version, the length (RFC 8446, section 5.1)."""

HANDSHAKE = 0x16
"""The type of a handshake record (RFC 8446, section 5.1)."""
CLIENT_HELLO = 1
SERVER_NAME, ALPN, SUPPORTED_VERSIONS = 0, 16, 43
"""Types of extensions (RFC 6066, RFC 7301; RFC 8446, section 4.2.1)."""
VERSIONS = {0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


class ClientHello(NamedTuple):
    """The server name, the protocols and the versions of TLS that a client asked for."""

    server_name: str | None = None
    alpn: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


def is_whole_record(data: bytes) -> bool:
    """Return whether the data contains the complete first record."""
    return len(data) >= HEADER and len(data) >= HEADER + int.from_bytes(data[3:HEADER], "big")


class _Reader:
    """Takes fields from the start of a message; raises IndexError if it is too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise IndexError
        piece, self._at = self._data[self._at : end], end
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def field(self, size: int) -> _Reader:
        """Take a field that is preceded by its length, in `size` bytes."""
        return _Reader(self.take(self.number(size)))

    def rest(self) -> bytes:
        return self._data[self._at :]

    def __bool__(self) -> bool:
        return self._at < len(self._data)


def read_client_hello(stream: bytes) -> ClientHello:
    """Return what the ClientHello at the start of a stream asks for; an empty one if it is missing or incomplete."""
    try:
        message = _Reader(_first_message(_Reader(stream)))
        if message.number(1) != CLIENT_HELLO:
            return ClientHello()
        body = message.field(3)
        highest = body.number(2)
        body.take(32)  # random
        for size in (1, 2, 1):  # session, ciphers, compressions
            body.field(size)
        found = _asked_for(body.field(2))
        return found if found.versions else found._replace(versions=_named([highest]))
    except IndexError:
        return ClientHello()


def _first_message(records: _Reader) -> bytes:
    """Join the records that the first message may be split into."""
    message = b""
    while records:
        if records.number(1) != HANDSHAKE:
            break
        records.take(2)  # version
        message += records.field(2).rest()
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            break
    return message


def _asked_for(extensions: _Reader) -> ClientHello:
    server_name = None
    protocols: list[str] = []
    versions: list[int] = []
    while extensions:
        kind, body = extensions.number(2), extensions.field(2)
        if kind == SERVER_NAME:
            names = body.field(2)
            names.take(1)  # a host name, the only type of name that is defined
            server_name = names.field(2).rest().decode("ascii", "backslashreplace")
        elif kind == ALPN:
            names = body.field(2)
            while names:
                protocols.append(names.field(1).rest().decode("ascii", "backslashreplace"))
        elif kind == SUPPORTED_VERSIONS:
            listed = body.field(1)
            while listed:
                versions.append(listed.number(2))
    return ClientHello(server_name, tuple(protocols), _named(versions))


def _named(versions: list[int]) -> tuple[str, ...]:
    """Return the names of versions, without such as are there to be ignored (RFC 8701)."""
    return tuple(VERSIONS[each] for each in versions if each in VERSIONS)
