"""Checks of servers whose connections keep records; what streams and records have in common is in `streams`."""

from __future__ import annotations

from contextlib import suppress

from windsock.net.system import socket
from windsock.servers import RecordRequestHandler
from windsock.testing.peers import client_of, echo_of, expect, served, still_serves
from windsock.testing.setting import Setting
from windsock.testing.streams import (
    a_big_transfer_goes_both_ways_at_once,
    a_burst_of_clients_is_served_at_once,
    a_client_that_is_turned_away_sees_the_end,
    a_client_that_vanishes_does_not_stop_the_next_one,
    a_failing_hook_ends_only_its_own_request,
    a_server_may_half_close_and_still_read,
    a_stop_while_busy_is_quick_and_leaves_nothing,
    the_hooks_are_called_in_their_order,
)

__all__ = [
    "a_big_transfer_goes_both_ways_at_once",
    "a_burst_of_clients_is_served_at_once",
    "a_client_may_half_close_and_still_get_its_answer",
    "a_client_that_is_turned_away_sees_the_end",
    "a_client_that_resets_does_not_stop_the_next_one",
    "a_client_that_vanishes_does_not_stop_the_next_one",
    "a_failing_handler_ends_only_its_own_request",
    "a_failing_hook_ends_only_its_own_request",
    "a_server_may_half_close_and_still_read",
    "a_stop_while_busy_is_quick_and_leaves_nothing",
    "the_ends_of_records_are_kept",
    "the_hooks_are_called_in_their_order",
]

SIZES = (1, 3, 70_000, 2, 150_000, 1)


def the_ends_of_records_are_kept(setting: Setting) -> None:
    """Check that records sent in a row arrive one by one, short and long ones, both ways."""
    with served(setting, echo_of(setting)) as server, client_of(server) as client:
        for size in SIZES:
            client.send(bytes([size % 251]) * size)
        received = [client.recv(1 << 20) for _ in SIZES]
        expect([len(each) for each in received], list(SIZES), "the sizes of the records")
        expect(all(each == each[:1] * len(each) for each in received), True, "each record has the bytes of one")


def a_client_may_half_close_and_still_get_its_answer(setting: Setting) -> None:
    """Check that the server can read to the end of the connection, and then answer."""

    class Joining(RecordRequestHandler):
        def handle(self) -> None:
            self.send_record(b"+".join(self.records()))

    with served(setting, Joining) as server, client_of(server) as client:
        client.send(b"a")
        client.send(b"b")
        client.shutdown(socket.SHUT_WR)
        expect(client.recv(100), b"a+b", "the answer after a half-close")


def a_client_that_resets_does_not_stop_the_next_one(setting: Setting) -> None:
    """Check that a client that closes with a record unread, a reset (unix(7)), ends only its own connection."""
    with served(setting, echo_of(setting)) as server:
        with client_of(server) as client:
            client.send(b"one")
            client.send(b"two")
            expect(client.recv(3), b"one", "an answer")
            expect(client.recv(3, socket.MSG_PEEK), b"two", "an answer that stays unread")
        still_serves(server)


def a_failing_handler_ends_only_its_own_request(setting: Setting) -> None:
    """Check that a handler's exception ends its connection, and that the next client is served."""

    class FailingOnRecords(RecordRequestHandler):
        def handle(self) -> None:
            if (record := self.recv_record()) == b"fail":
                raise RuntimeError("fails on purpose")
            self.send_record(record)

    with served(setting, FailingOnRecords) as server:
        with client_of(server) as client:
            with suppress(OSError):
                client.send(b"fail")
            expect(client.recv(100), b"", "the end of the connection")
        still_serves(server)
        server.errors.take()
