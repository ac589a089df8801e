"""Checks of datagram servers."""

from __future__ import annotations

from contextlib import ExitStack

from windsock.net.system import monotonic
from windsock.servers import DatagramRequestHandler
from windsock.testing.peers import DEADLINE, HookLog, client_of, expect, served, still_serves
from windsock.testing.setting import Setting

HOOKS = ["get_request", "verify_request", "process_request", "finish_request", "shutdown_request", "close_request"]


class Echo(DatagramRequestHandler):
    """Send each packet back."""

    def handle(self) -> None:
        """See BaseRequestHandler."""
        if self.packet == b"bad":
            raise RuntimeError("fails on purpose")
        if self.packet != b"silence":
            self.wfile.write(self.packet)


def the_hooks_are_called_in_their_order(setting: Setting) -> None:
    """Check that a datagram meets each hook once."""
    log = HookLog()
    try:
        with served(setting, log.handler(), **log.hooks(setting.server_class, HOOKS)) as server:
            with client_of(server) as client:
                client.send(b"x")
            server.requests.wait(1)
            server.stop()
        seen = log.names()
    finally:
        log.close()
    once = [name for number, name in enumerate(seen) if name not in seen[:number] and name != "close_request"]
    expect(once, [*HOOKS[:4], "setup", "handle", "finish", "shutdown_request"], "the order of hooks")


def a_reply_goes_to_the_client_that_asked(setting: Setting) -> None:
    """Check that each client gets its own reply, even if many ask at once."""
    with served(setting, Echo) as server, ExitStack() as stack:
        clients = [stack.enter_context(client_of(server)) for _ in range(8)]
        for number, client in enumerate(clients):
            client.send(b"client %d" % number)
        for number, client in enumerate(clients):
            expect(client.recv(100), b"client %d" % number, "one's own answer")


def an_empty_datagram_is_a_request(setting: Setting) -> None:
    """Check that an empty datagram is handled, and can be answered by another one."""
    with served(setting, Echo) as server, client_of(server) as client:
        client.send(b"")
        expect(client.recv(100), b"", "an empty answer")


def a_handler_that_writes_nothing_sends_nothing(setting: Setting) -> None:
    """Check that the next reply is the first one that comes."""
    with served(setting, Echo) as server, client_of(server) as client:
        client.send(b"silence")
        server.requests.wait(1)
        client.send(b"word")
        expect(client.recv(100), b"word", "the first answer")


def a_failing_handler_ends_only_its_own_request(setting: Setting) -> None:
    """Check that the next datagram is answered."""
    with served(setting, Echo) as server:
        with client_of(server) as client:
            client.send(b"bad")
            server.requests.wait(1)
        still_serves(server, b"next")
        server.errors.take()


def a_client_that_is_gone_does_not_stop_the_next_one(setting: Setting) -> None:
    """Check that the next client gets its reply, while the reply to the closed one is lost."""
    with served(setting, Echo) as server:
        with client_of(server) as client:
            client.send(b"x")
        still_serves(server, b"next")


def a_stop_is_quick(setting: Setting) -> None:
    """Check that a stop waits for nothing."""
    with served(setting, Echo) as server:
        still_serves(server, b"x")
        started = monotonic()
        server.stop()
        expect(monotonic() - started < DEADLINE / 2, True, "a stop within half of the deadline")
