"""Recording: a proxy in front of a real server, whose conversations become a cassette when it is finished."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from windsock.cassettes.draft import Draft
from windsock.cassettes.errors import CassetteError
from windsock.cassettes.from_recording import lines_of
from windsock.cassettes.header import Header
from windsock.cassettes.line import CassetteLine
from windsock.errors import UsageError
from windsock.net.interrupts import uninterrupted
from windsock.net.system import monotonic, os, socket
from windsock.proxies.proxy import FaultProxy
from windsock.recording import Connection, Direction, framing_from, is_framed

__all__ = ["CassetteRecorder", "record"]

CLIENT_HELLO = re.compile(rb"\x16\x03[\x00-\x04]..\x01", re.DOTALL)
"""What a client begins TLS with: the type, version and length of a record, and the message's type (RFC 8446)."""


class CassetteRecorder(FaultProxy):
    """A proxy that writes a cassette when it is finished; clients connect to its `address`. See `record()`."""

    def __init__(
        self, address: Any, path: str | os.PathLike[str], *, framing: Any = None, tls: Any = None, **options: Any
    ) -> None:
        self.cassette_path: str = os.fspath(path)
        self._framing = framing_from(framing)
        self._is_encrypted = tls is not None
        self._is_finishing = False
        self._draft = Draft(self.cassette_path)
        try:
            super().__init__(address, framing=self._framing, tls=tls, **options)
        except BaseException:
            self._draft.discard()
            raise
        self._recorder.stay_in_memory()
        if self.upstream.is_unix and self.upstream.kind == getattr(socket, "SOCK_SEQPACKET", None):
            self.stop()
            raise CassetteError(self.cassette_path, "it cannot keep records (SOCK_SEQPACKET); use another transport")

    @uninterrupted
    def stop(self) -> None:
        """Stop without writing the cassette: what was there before stays. Idempotent. See FaultProxy."""
        try:
            super().stop()
        finally:
            if not self._is_finishing:
                self._draft.discard()

    def finish(self) -> None:
        """Drain, stop, and write the cassette, unless something has failed. Raises CassetteError. See FaultProxy."""
        __tracebackhide__ = True  # pytest leaves such frames out
        if self._is_stopped:
            super().finish()
            return
        self._is_finishing = True
        try:
            self.drain()
            ended = monotonic()
            super().finish()
            self._draft.keep(self._header(), self._lines(ended))
        finally:
            self._draft.discard()

    def _header(self) -> Header:
        transport = f"unix_{'datagram' if self.is_datagram else 'stream'}" if self.is_unix else ""
        framing = None if self.is_datagram or not is_framed(self._framing) else self._framing
        return Header.of(transport or ("udp" if self.is_datagram else "tcp"), framing)

    def _lines(self, ended: float) -> Iterator[CassetteLine]:
        for each in self.connections:
            self._check(each)
        framing = self._framing if is_framed(self._framing) else None
        try:
            yield from lines_of(self.connections, framing, began=self.began, ended=ended)
        except UsageError as error:
            raise CassetteError(self.cassette_path, str(error)) from error

    def _check(self, connection: Connection) -> None:
        """Raise CassetteError for encrypted data, which no client could use again."""
        if self._is_encrypted or self.is_datagram:
            return
        if any(each.direction == Direction.UPSTREAM and CLIENT_HELLO.match(each.data) for each in connection.chunks):
            why = (
                f"connection {connection.index + 1} is encrypted, so it cannot be replayed; "
                "record(tls=..., upstream_tls=...) has the recorder end the TLS of clients, and speak it to the server"
            )
            raise CassetteError(self.cassette_path, why)


def record(
    address: Any, path: str | os.PathLike[str], *, framing: Any = None, redact: Any = None, **options: Any
) -> CassetteRecorder:
    """Record what passes between clients and a real server in a cassette, for the length of a `with`.

    Clients connect to the `address` of what this returns, a proxy in front of `address`. The file at `path` is
    written at the end of the `with`, at once and as a whole; if the block raises, the file stays as it was. `framing`
    says where messages end, as for `serving()`; each message is a line of the file. Without it a line has all that one
    side sent before the other one did.

    Secrets are masked in what is written, and nothing else is: the usual ones, and those of `redact` (see `serving`).
    `options` are those of `windsock.proxy()`: with `tls` and `upstream_tls` (SSLContexts) the recorder reads what is
    encrypted; `transport="udp"` records datagrams.

    Raises UsageError for invalid values, CassetteError if the file cannot be written, or is being recorded by another
    test or process.
    """
    if "recorded" in options:
        raise UsageError(f"recorded={options['recorded']!r}: a recorder always records; leave recorded= out")
    return CassetteRecorder(address, path, framing=framing, redact=redact, **options)
