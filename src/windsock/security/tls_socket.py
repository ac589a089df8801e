"""TLS over any connected socket-like object: a socket that encrypts what passes through it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from windsock.net.deadlines import capped
from windsock.net.pushback import give_back
from windsock.net.sendfile import send_file
from windsock.net.system import monotonic, socket, ssl, threading
from windsock.security.alerts import mark_alert
from windsock.security.client_hello import read_client_hello
from windsock.security.handshake_info import TLSHandshake
from windsock.security.handshakes import failed, succeeded
from windsock.security.socket_wrapper import SocketWrapper

__all__ = ["TLSSocket"]

BLOCK = 64 * 1024
"""The most bytes that are encrypted or received at a time."""
GOODBYE = 1.0
"""Seconds for which `close()` tries to send close_notify."""


class TLSSocket(SocketWrapper):
    """The plaintext end of an encrypted connection over `raw`, any socket-like object.

    One thread may read while another one writes. If the stream ends without the client's close_notify, reading
    returns b"" and sets `was_truncated`; with `suppress_ragged_eofs=False` it raises SSLEOFError.
    Options, addresses and timeouts are those of `raw`. Like ssl.SSLSocket, it accepts no flags.
    """

    def __init__(
        self,
        raw: Any,
        context: ssl.SSLContext,
        *,
        server_side: bool = True,
        server_hostname: str | None = None,
        suppress_ragged_eofs: bool = True,
    ) -> None:
        super().__init__(raw)
        self.context = context
        self.suppress_ragged_eofs = suppress_ragged_eofs
        self.was_truncated: bool = False
        self.handshake: TLSHandshake | None = None
        """The result of the handshake, once it is over."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)
        self._state = threading.Lock()
        self._receiving = threading.Lock()
        self._sending = threading.Lock()
        self._unsent = memoryview(b"")
        self._taken = 0
        self._plain = bytearray()
        """Decrypted data that was not read yet..."""
        self._late: ssl.SSLError | None = None
        """...and the error that comes after it."""
        self._first: bytearray | None = bytearray()
        self._has_said_goodbye = False
        self._when_truncated: Callable[[], object] | None = None
        self._left: int | None = None
        """The bytes of plaintext that are sent before the stream is truncated; None: not truncated."""
        self._has_ended = False
        """Whether the socket below continues unencrypted."""

    def __repr__(self) -> str:
        return f"<TLSSocket {self.version() or 'before its handshake'}, over {self.raw!r}>"

    # --- the handshake

    def do_handshake(self, timeout: float | None = None) -> TLSHandshake:
        """Do the whole handshake within `timeout` seconds; return its result.

        Raises HandshakeFailed.
        """
        before = self.raw.gettimeout()
        deadline = None if timeout is None else monotonic() + timeout
        try:
            while not self._handshake_is_done():
                self._wait_until(deadline)
                self._fill()
            self._wait_until(deadline)
            self._flush()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._flush()  # the alert that says why
            first = bytes(self._first or b"")
            raise failed(error, first) from error
        finally:
            with contextlib.suppress(OSError):
                self.raw.settimeout(before)
        hello = read_client_hello(bytes(self._first or b""))
        self._first = None
        self._acknowledge()
        self.handshake = succeeded(self._tls, hello)
        return self.handshake

    def _handshake_is_done(self) -> bool:
        is_done = True
        with self._state:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                is_done = False
        if not is_done:
            self._flush()
        return is_done

    def _acknowledge(self) -> None:
        """Acknowledge the client's latest message now: it sends no more before (Nagle), and we have no data to send."""
        if hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):  # not TCP
                self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _wait_until(self, deadline: float | None) -> None:
        if deadline is not None:
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self.raw.settimeout(capped(left))

    # --- receiving

    def recv(self, bufsize: int = BLOCK, flags: int = 0, /) -> bytes:
        """See socket.socket."""
        _check_flags("recv", flags)
        data: bytes = self._read(bufsize, None)
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See socket.socket."""
        _check_flags("recv_into", flags)
        with memoryview(buffer) as view, view.cast("B") as whole:
            size: int = self._read(min(nbytes or len(whole), len(whole)), whole)
        return size

    def _read(self, size: int, into: memoryview | None) -> Any:
        """Return decrypted bytes; with a buffer, fill it and return the number of bytes."""
        nothing: Any = b"" if into is None else 0
        if not size:
            return nothing
        with self._receiving:
            while True:
                found = self._decrypt(size, into)
                if self._outgoing.pending and self._sending.acquire(blocking=False):
                    self._release_after_push()
                if found is not None:
                    return found
                self._fill()

    def _decrypt(self, size: int, into: memoryview | None) -> Any:
        """Return decrypted data, or None if more has to be received first."""
        nothing: Any = b"" if into is None else 0
        with self._state:
            if self._plain:
                return self._take_plain(size, into)
            try:
                if self._late is not None:
                    raise self._late
                return self._tls.read(size) if into is None else self._tls.read(size, into)
            except ssl.SSLWantReadError:
                return None
            except ssl.SSLZeroReturnError:
                return nothing
            except ssl.SSLError as error:
                if not self._counts_as_end(error):
                    raise
                return nothing

    def _counts_as_end(self, error: ssl.SSLError) -> bool:
        """Return whether an error is an end of the stream without close_notify that counts as a normal end."""
        mark_alert(error, self.raw)
        is_end = self.suppress_ragged_eofs and isinstance(error, ssl.SSLEOFError)
        self.was_truncated |= is_end
        return is_end

    def _take_plain(self, size: int, into: memoryview | None) -> Any:
        piece = bytes(self._plain[:size])
        del self._plain[:size]
        if into is None:
            return piece
        into[: len(piece)] = piece
        return len(piece)

    def _fill(self) -> None:
        """Receive more from the client."""
        try:
            data = self.raw.recv(BLOCK)
        except BlockingIOError:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "The operation did not complete (read)") from None
        with self._state:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()
            if self._first is not None:
                self._first += data

    # --- sending

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket. After a timeout or SSLWantWriteError, call again with the same data."""
        _check_flags("send", flags)
        with memoryview(data) as view, view.cast("B") as whole:
            return self._write(whole)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """See socket.socket."""
        _check_flags("sendall", flags)
        with memoryview(data) as view, view.cast("B") as whole:
            done = 0
            while done < len(whole):
                done += self._write(whole[done:])

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """See socket.socket. Reads the file, encrypts and sends it."""
        return send_file(self.sendall, file, offset, count, BLOCK)

    def _write(self, whole: memoryview) -> int:
        """Encrypt a block and send it."""
        if self._left is None:
            return self._write_block(whole)
        size = self._write_block(whole[: self._left]) if self._left else 0
        self._left -= size
        if self._left or size == len(whole):
            return size
        self._end_below()
        return len(whole)

    def _write_block(self, whole: memoryview) -> int:
        with self._sending:
            self._push()
            if self._taken:  # by an earlier call that could not send it
                size, self._taken = min(self._taken, len(whole)), 0
                return size
            if not len(whole):
                return 0
            with self._state:
                size = self._tls.write(whole[:BLOCK])
            try:
                self._push()
            except (TimeoutError, ssl.SSLWantWriteError):
                self._taken = size
                raise
            return size

    def _push(self) -> None:
        """Send all encrypted data. The caller holds `_sending`."""
        with self._state:
            more = self._outgoing.read() if self._outgoing.pending else b""
        if more:
            self._unsent = memoryview(bytes(self._unsent) + more if self._unsent else more)
        try:
            while self._unsent:
                self._unsent = self._unsent[self.raw.send(self._unsent) :]
        except BlockingIOError:
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)") from None

    def _flush(self) -> None:
        with self._sending:
            self._push()

    def _release_after_push(self) -> None:
        """Send records that reading has produced, and release `_sending`. After a timeout, the next call continues."""
        try:
            self._push()
        except (TimeoutError, ssl.SSLWantWriteError):
            pass  # the next call that sends continues
        except ConnectionError:
            pass  # a read must not fail: a closed Unix socket accepts no alert (EPIPE)
        finally:
            self._sending.release()

    # --- ending

    def shutdown(self, how: int, /) -> None:
        """See socket.socket. Sends close_notify before it ends sending."""
        if self._has_ended:
            return
        try:
            if how != socket.SHUT_RD:
                self.say_goodbye()
        finally:
            self.raw.shutdown(how)

    def unwrap(self) -> Any:
        """End TLS both ways and return the unencrypted socket below. Waits for the other end's close_notify.

        Data that was received but not read, in TLS or after it, is what the socket returns first.
        """
        within, behind = self.end_tls()
        give_back(self.raw, within + behind)
        return self.raw

    def end_tls(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """End TLS both ways within `timeout` seconds; return the unread data, from within TLS and from after it.

        The socket below continues unencrypted. Raises TimeoutError, or SSLWantReadError and SSLWantWriteError for a
        non-blocking socket; call it again to continue.
        """
        before = self.raw.gettimeout()
        deadline = None if timeout is None else monotonic() + timeout
        try:
            self._wait_until(deadline)
            self.say_goodbye()
            with self._receiving:
                while not self._has_received_all():
                    self._wait_until(deadline)
                    self._fill()
            self._flush()
        finally:
            with contextlib.suppress(OSError):
                self.raw.settimeout(before)
        self._has_ended = True
        within, self._plain = bytes(self._plain), bytearray()
        return within, self._incoming.read()

    def _has_received_all(self) -> bool:
        """Return whether the other end has ended TLS, which closing the connection does too."""
        with self._state:
            if self._set_aside():
                return True
            if self._late is None:
                return False
            if not self._counts_as_end(self._late):
                raise self._late
            return True

    def say_goodbye(self) -> None:
        """Send close_notify, once. Data received before can still be read.

        Raises TimeoutError or SSLWantWriteError if it cannot be sent yet; call it again to continue.
        """
        timeout = self.raw.gettimeout()
        if not self._sending.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError("timed out")
        try:
            with self._state:
                if not self._has_said_goodbye:
                    self._has_said_goodbye = True
                    self._set_aside()  # after its own close_notify, OpenSSL takes data for an error
                    with contextlib.suppress(ssl.SSLError):  # it waits for the answer
                        self._tls.unwrap()
            self._tell_of_truncation()
            self._push()
        finally:
            self._sending.release()

    def _set_aside(self) -> bool:
        """Decrypt and keep what was received; return whether TLS ends there. Reading raises an error only after it."""
        try:
            while data := self._tls.read(BLOCK):
                self._plain += data
        except ssl.SSLZeroReturnError:  # OpenSSL raises it again
            return True
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self._late = error
            return False
        return True

    def truncate(self, after_bytes: int | None, when_truncated: Callable[[], object]) -> None:
        """End the stream without close_notify: where the application ends it, or after `after_bytes` of plaintext.

        Data sent after that is discarded, without an error. `when_truncated` is called just before the end.
        """
        self._has_said_goodbye = True
        self._when_truncated = when_truncated
        self._left = after_bytes
        if after_bytes == 0:
            self._end_below()

    def _tell_of_truncation(self) -> None:
        """Call `when_truncated`, once."""
        tell, self._when_truncated = self._when_truncated, None
        if tell is not None:
            tell()

    def _end_below(self) -> None:
        self._tell_of_truncation()
        with contextlib.suppress(OSError):  # the client is gone
            self.raw.shutdown(socket.SHUT_WR)

    def _say_goodbye_soon(self) -> None:
        with contextlib.suppress(OSError):
            self.raw.settimeout(GOODBYE)
            self.say_goodbye()

    # --- information

    def version(self) -> str | None:
        """See ssl.SSLSocket."""
        return self._tls.version()

    def cipher(self) -> tuple[str, str, int] | None:
        """See ssl.SSLSocket."""
        return self._tls.cipher()

    def getpeercert(self, binary_form: bool = False) -> Any:
        """See ssl.SSLSocket."""
        return self._tls.getpeercert(binary_form)

    def selected_alpn_protocol(self) -> str | None:
        """See ssl.SSLSocket."""
        return self._tls.selected_alpn_protocol()

    @property
    def server_hostname(self) -> str | None:
        """The name that the client asks for (SNI)."""
        return self.handshake.server_name if self.handshake is not None else self._tls.server_hostname

    def pending(self) -> int:
        """Return how many bytes can be read without receiving: everything in complete records.

        The end of the stream does not count; only reading finds it.
        """
        with self._state:
            if self._incoming.pending and self.handshake is not None:
                self._set_aside()
            return len(self._plain) + self._tls.pending()


def _check_flags(name: str, flags: int) -> None:
    if flags:
        raise ValueError(f"non-zero flags not allowed in calls to {name}() on TLSSocket")
