"""Checks of stream servers."""

from __future__ import annotations

import struct
import sys
from contextlib import ExitStack, suppress
from typing import Any

from windsock.net.deadlines import milliseconds, within
from windsock.net.system import monotonic, select, socket
from windsock.servers import BaseRequestHandler, StreamRequestHandler
from windsock.testing.peers import (
    DEADLINE,
    HookLog,
    client_of,
    echo_of,
    expect,
    receive_all,
    served,
    speaks_tls,
    still_serves,
)
from windsock.testing.setting import Setting

HOOKS = ["get_request", "verify_request", "process_request", "finish_request", "shutdown_request", "close_request"]
BIG = 4 * 1024 * 1024


def the_hooks_are_called_in_their_order(setting: Setting) -> None:
    """Check that a request meets each hook once; if two processes have the request, each closes it."""
    log = HookLog()
    try:
        with (
            served(setting, log.handler(), **log.hooks(setting.server_class, HOOKS)) as server,
            client_of(server) as client,
        ):
            expect(receive_all(client), b"", "an end of the stream after the handler")
        seen = log.names()
    finally:
        log.close()
    expected = [*HOOKS[:4], "setup", "handle", "finish", *HOOKS[4:]]
    once = [name for number, name in enumerate(seen) if name not in seen[:number]]
    in_child = [name for name in once if name != "close_request"]
    expect(in_child, expected[:-1], "the order of hooks")
    expect("close_request" in once, True, "the request is closed")


def a_client_may_half_close_and_still_get_its_answer(setting: Setting) -> None:
    """Check that the server can read to the end of the stream, and then answer."""

    class Last(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.read()[::-1])

    with served(setting, Last) as server, client_of(server) as client:
        client.sendall(b"abc")
        if speaks_tls(server):
            return  # ssl.SSLSocket can't send close_notify and still read (its unwrap() waits)
        client.shutdown(socket.SHUT_WR)
        expect(receive_all(client), b"cba", "the answer after a half-close")


def a_server_may_half_close_and_still_read(setting: Setting) -> None:
    """Check that the client sees the end of the stream, and can still send."""

    class EndsFirst(BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"bye")
            self.request.shutdown(socket.SHUT_WR)
            while self.request.recv(100):
                pass

    with served(setting, EndsFirst) as server, client_of(server) as client:
        expect(receive_all(client), b"bye", "the end of the stream after a server's half-close")
        client.sendall(b"still here")


def a_big_transfer_goes_both_ways_at_once(setting: Setting) -> None:
    """Check that neither direction waits for the other, and that nothing is lost."""

    class Both(BaseRequestHandler):
        def handle(self) -> None:
            received = 0
            while received < BIG:
                data = self.request.recv(1 << 16)
                if not data:
                    return
                received += len(data)
                self.request.sendall(data)

    payload = bytes(range(256)) * (BIG // 256)
    with served(setting, Both) as server, client_of(server) as client:
        expect(_exchange(client, payload) == payload, True, "what was sent came back unchanged")


def _exchange(client: socket.socket, payload: bytes) -> bytes:
    """Send and receive at once, in one thread: an ssl.SSLSocket is not for two."""
    received = bytearray()
    sent = 0
    client.setblocking(False)
    poll = select.poll()
    poll.register(client, select.POLLIN | select.POLLOUT)
    while len(received) < len(payload):
        expect(bool(poll.poll(milliseconds(within(DEADLINE)))), True, f"something to do after {len(received)} bytes")
        with suppress(*_not_ready()):
            sent += client.send(payload[sent : sent + (1 << 16)]) if sent < len(payload) else 0
        if sent == len(payload):
            poll.modify(client, select.POLLIN)
        with suppress(*_not_ready()):
            data = client.recv(1 << 20)
            expect(bool(data), True, f"data after {len(received)} bytes")
            received += data
    return bytes(received)


def _not_ready() -> tuple[type[OSError], ...]:
    """Return the exceptions that mean "not now"; those of ssl only if it is in use."""
    if "ssl" not in sys.modules:
        return (BlockingIOError,)
    from windsock.net.system import ssl

    return (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def a_client_that_resets_does_not_stop_the_next_one(setting: Setting) -> None:
    """Check that a reset affects only its own connection."""
    with served(setting, echo_of(setting)) as server:
        with client_of(server) as client:
            client.sendall(b"one\n")
            expect(client.recv(4), b"one\n", "an answer")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        still_serves(server)


def a_client_that_vanishes_does_not_stop_the_next_one(setting: Setting) -> None:
    """Check clients that close before they send anything, and in the middle of a line."""
    with served(setting, echo_of(setting)) as server:
        for word in (b"", b"half a li"):
            with client_of(server) as client:
                client.sendall(word)
        still_serves(server)


def a_client_that_is_turned_away_sees_the_end(setting: Setting) -> None:
    """Check that `verify_request` returning False shuts the connection down, without calling a handler."""

    def verify_request(*_: object) -> bool:
        return False

    with served(setting, echo_of(setting), verify_request=verify_request) as server:
        if speaks_tls(server):
            return  # turned away before the handshake, which fails in the client
        with client_of(server) as client:
            expect(receive_all(client), b"", "the end of the stream")


def a_failing_handler_ends_only_its_own_request(setting: Setting) -> None:
    """Check failures in each method of a handler."""

    class Failing(StreamRequestHandler):
        def setup(self) -> None:
            super().setup()
            self._step("setup")

        def handle(self) -> None:
            self._step("handle")
            self.wfile.write(self.rfile.readline())

        def finish(self) -> None:
            super().finish()
            self._step("finish")

        def _step(self, name: str) -> None:
            if self.server.failing == name:
                raise RuntimeError(f"{name} fails on purpose")

    with served(setting, Failing, failing="") as server:
        for step in ("setup", "handle", "finish"):
            server.server.failing = step
            with client_of(server) as client:
                with suppress(OSError):  # it may have failed already
                    client.sendall(b"one\n")
                _see_the_end(client)
            server.server.failing = ""
            still_serves(server)
        server.errors.take()


def a_failing_hook_ends_only_its_own_request(setting: Setting) -> None:
    """Check failures of `verify_request`, and of `handle_error`, which reports the first one."""

    def verify_request(server: Any, *_: object) -> bool:
        if server.failures:
            server.failures -= 1
            raise RuntimeError("verify_request fails on purpose")
        return True

    def handle_error(*_: object) -> None:
        raise RuntimeError("handle_error fails on purpose")

    hooks = {"verify_request": verify_request, "handle_error": handle_error}
    with served(setting, echo_of(setting), failures=1, **hooks) as server:
        if speaks_tls(server):
            return  # the handshake would fail in the client
        with client_of(server) as client:
            expect(receive_all(client), b"", "the end of the stream")
        still_serves(server)
        server.errors.take()


def a_burst_of_clients_is_served_at_once(setting: Setting) -> None:
    """Check that 64 simultaneous connections are all accepted and answered."""
    with served(setting, echo_of(setting)) as server, ExitStack() as stack:
        if speaks_tls(server) and server.options.concurrency == "sync":
            return  # a handshake waits for the connection before it to end
        count = 64
        if speaks_tls(server):  # each handshake needs room in the queue
            count = min(count, getattr(server.server, "max_children", count))
        clients = [stack.enter_context(client_of(server)) for _ in range(count)]
        for number, client in enumerate(clients):
            client.sendall(b"%d\n" % number)
        for number, client in enumerate(clients):
            expect(client.recv(10), b"%d\n" % number, "an answer")
            client.close()


def a_stop_while_busy_is_quick_and_leaves_nothing(setting: Setting) -> None:
    """Check that idle clients, silent or in the middle of a line, do not keep a server from stopping."""
    with served(setting, echo_of(setting)) as server, ExitStack() as stack:
        busy = stack.enter_context(client_of(server))
        busy.sendall(b"one\nhalf a li")
        expect(busy.recv(4), b"one\n", "an answer")
        started = monotonic()
        server.stop()
        expect(monotonic() - started < DEADLINE / 2, True, "a stop within half of the deadline")
        _see_the_end(busy)


def _see_the_end(client: socket.socket) -> None:
    """Wait for the end of the connection, even a reset or a truncated TLS stream, whatever comes before it."""
    try:
        receive_all(client)
    except TimeoutError:
        raise
    except OSError:
        pass
