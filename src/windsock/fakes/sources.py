"""Replies to datagrams from another address than the server's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias, runtime_checkable

from windsock.errors import UsageError
from windsock.net import addresses
from windsock.net.system import socket
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.taps.datagram_tap import DatagramTap

__all__ = ["DatagramSender", "OtherSource", "Source", "checked_source"]


@runtime_checkable
class DatagramSender(Protocol):
    """A datagram server in a test, such as another fake: a RunningServer."""

    def socket_to_send_from(self) -> Any:
        """Return the socket at its address. Raises UsageError if it has none for this."""
        ...


Source: TypeAlias = str | tuple[str, int] | DatagramSender
"""A loopback host, (host, port) with port 0 for any, or another datagram server in the test."""


def checked_source(method: str, source: Any) -> Any:
    """Return `source=` as (host, port) or a server. Raises UsageError for anything else."""
    if isinstance(source, DatagramSender):
        source.socket_to_send_from()
        return source
    host, port = (source, 0) if isinstance(source, str) else _pair(source)
    if host is None or not 0 <= port <= 65535:
        raise UsageError(
            f"{method}(source={source!r}): expected a host, (host, port) with port 0 for any, or a datagram server"
        )
    if not addresses.is_loopback(host):
        raise UsageError(f"{method}(source={source!r}): expected a loopback address, such as '127.0.0.2'")
    return host, port


def _pair(source: Any) -> tuple[Any, int]:
    is_address = isinstance(source, tuple | list) and len(source) == 2 and isinstance(source[0], str)
    return (source[0], source[1]) if is_address and type(source[1]) is int else (None, 0)


class OtherSource:
    """A datagram server's socket, from which all that is sent comes from another address. Faults do not act on it."""

    def __init__(self, server_socket: Any, source: Any, connection: Connection | None) -> None:
        self._socket = server_socket
        self._source = source
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def sendto(self, data: bytes, *rest: Any) -> int:
        """See socket.socket."""
        *flags, client = rest
        with self._opened() as sender:
            if self._connection is None:
                return int(sender.sendto(data, *flags, _seen_by(sender, client)))
            self._connection.note(Kind.NOTE, f"from {addresses.show(addresses.plain(sender.getsockname()))}:".encode())
            return DatagramTap(sender, self._connection).sendto(data, *flags, _seen_by(sender, client))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        if not isinstance(self._source, tuple):
            yield self._source.socket_to_send_from()
            return
        family = socket.AF_INET6 if ":" in self._source[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as made:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # several replies at once from one port
            try:
                made.bind(self._source)
            except OSError as error:
                raise UsageError(f"reply(source={self._source!r}): {error.strerror}") from error
            yield made


def _seen_by(sender: Any, client: Any) -> Any:
    """Return the client's address as a socket of the sender's family takes it. Raises UsageError if none does."""
    is_ipv4 = sender.family == socket.AF_INET
    found = (addresses.unmapped(client[0]), client[1]) if is_ipv4 and isinstance(client, tuple) else client
    reaches = isinstance(found, tuple) == (sender.family in (socket.AF_INET, socket.AF_INET6))
    if not reaches or (is_ipv4 and ":" in found[0]) or (sender.family == socket.AF_INET6 and ":" not in found[0]):
        raise UsageError(
            f"reply(source=...): {addresses.show(addresses.plain(sender.getsockname()))} can't send to "
            f"{addresses.show(client)}; expected a source of the client's family"
        )
    return found
