"""A fake that plays scripts over datagrams: each with the client address that begins it, until its end."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import pytest

import windsock
from tests.fakes.helpers import UNUSED, failures_of, without_times
from tests.support.servers import connect, on_every_concurrency, on_every_datagram_kind, wait_for_error
from tests.support.waiting import DEADLINE, wait_until
from windsock import Script, ScriptMismatch, UsageError
from windsock.fakes.datagram_sessions import DatagramSessions, SessionEndpoint

TFTP = (
    Script().expect(b"RRQ").send(b"DATA 1").expect(b"ACK 1").send(b"DATA 2").expect(b"ACK 2")
)  # as in RFC 1350, without its numbers


@on_every_datagram_kind
def test_a_conversation_is_played_with_one_client(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play(TFTP)
        with server.connect() as client:
            client.send(b"RRQ").expect(b"DATA 1").send(b"ACK 1").expect(b"DATA 2").send(b"ACK 2")

        requests = server.requests.wait(3)
        assert [(each.data, each.reply) for each in requests] == [
            (b"RRQ", b"DATA 1"),
            (b"ACK 1", b"DATA 2"),
            (b"ACK 2", b""),
        ]


@on_every_datagram_kind
def test_two_clients_have_a_conversation_each(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play(
            Script().expect(b"a").send(b"1").expect(b"b").send(b"2"),
            Script().expect(b"a").send(b"3").expect(b"b").send(b"4"),
        )
        with connect(server) as one, connect(server) as other:
            one.send(b"a")
            assert one.recv(10) == b"1"
            other.send(b"a")
            assert other.recv(10) == b"3"
            one.send(b"b")
            other.send(b"b")
            assert (one.recv(10), other.recv(10)) == (b"2", b"4")


@on_every_datagram_kind
def test_what_comes_after_the_end_begins_the_next_script_or_is_for_the_rules(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play(Script().expect(b"1").send(b"one"), Script().expect(b"2").send(b"two"))
        server.on(b"3").reply(b"three")
        with connect(server) as client:
            for each in (b"1", b"2", b"3"):
                client.send(each)
            assert sorted(client.recv(10) for _ in range(3)) == [b"one", b"three", b"two"]


@on_every_datagram_kind
def test_one_script_for_all_is_played_again_and_again(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play_all(Script().expect(b"?").send(b"!"))
        for _ in range(2):
            with connect(server) as client:
                for _ in range(2):
                    client.send(b"?")
                    assert client.recv(10) == b"!"


@on_every_datagram_kind
def test_a_datagram_that_is_not_the_expected_one_fails_the_test_once(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.play(Script().expect(b"HELO").send(b"250"))
    with connect(server) as client:
        client.send(b"HELP")
        wait_for_error(server)

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, ScriptMismatch)
    assert without_times(str(error)).splitlines()[0] == (
        "script 1, step 1, expect(b'HELO'): datagrams differ at offset 3, b'P' instead of b'O'"
    )


@on_every_datagram_kind
def test_a_conversation_that_the_stop_cuts_off_fails_the_test_with_its_state(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.play(TFTP)
    with connect(server) as client:
        client.send(b"RRQ")
        assert client.recv(10) == b"DATA 1"
        server.stop()

    (text,) = failures_of(server)
    assert text.splitlines() == [
        "play(): script 1 of 1: not played to its end, #0 from CLIENT was at step 3 of 5, expect(b'ACK 1')",
        "  unread: nothing, after 3 B that were read",
        "  before:",
        "    T received 3 B b'RRQ'",
        "    T sent 6 B b'DATA 1'",
        UNUSED.strip(),
    ]


@on_every_datagram_kind
def test_a_script_that_no_datagram_begins_fails_the_test(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.play(TFTP + TFTP)

    (text,) = failures_of(server)
    assert text.startswith("play(): script 1 of 1: never played, no connection came for it\n")


@on_every_datagram_kind
def test_a_datagram_too_many_is_not_expected(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.play(Script().expect(b"1").send(b"one"))
    with connect(server) as client:
        client.send(b"1")
        assert client.recv(10) == b"one"
        client.send(b"2")
        wait_for_error(server)

    assert failures_of(server) == ["received b'2', which no rule or reply answers:\n  (no more replies)"]


@on_every_datagram_kind
def test_pauses_events_and_silence_hold_nobody_else_up(transport: str, concurrency: str) -> None:
    event = threading.Event()
    with windsock.serving(transport=transport, concurrency=concurrency, allow_unused=True) as server:
        server.play(
            Script().expect(b"?").pause(30.0).send(b"late"),
            Script().expect(b"?").wait_for(event).send(b"set"),
            Script().expect(b"?").stall().pause(30.0),
            Script().expect(b"?").expect_silence(0.01).send(b"silent"),
            Script().expect(b"?").send(b"now").close(),
        )
        clients = [connect(server) for _ in range(5)]
        for each in clients:
            each.send(b"?")
            server.requests.wait(clients.index(each) + 1)
        assert clients[4].recv(10) == b"now"
        assert clients[3].recv(10) == b"silent"
        event.set()
        assert clients[1].recv(10) == b"set"
        for each in clients:
            each.close()


@on_every_datagram_kind
def test_silence_is_broken_by_a_datagram(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.play(Script().expect(b"?").send(b"!").expect_silence(30.0))
    with connect(server) as client:
        client.send(b"?")
        assert client.recv(10) == b"!"
        client.send(b"noise")
        wait_for_error(server)

    (text,) = failures_of(server)
    assert text.startswith("script 1, step 3, expect_silence(30.0): ")


@on_every_concurrency
def test_a_client_without_a_name_is_heard_and_not_answered(concurrency: str) -> None:
    with windsock.serving(transport="unix_datagram", concurrency=concurrency) as server:
        server.play(Script().expect(b"?").send(b"!"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(server.path)
            client.send(b"?")


@on_every_datagram_kind
def test_a_client_that_is_gone_is_no_error(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play(Script().expect(b"?").pause(0.05).send(b"!"))
        with connect(server) as client:
            client.send(b"?")


def test_a_step_for_streams_is_a_usage_error() -> None:
    with windsock.serving(transport="udp") as server:
        with pytest.raises(windsock.UsageError) as caught:
            server.play(Script().expect(b"?").half_close())
        assert str(caught.value).startswith("step 2, half_close(): that is for streams")


def test_the_stop_waits_for_a_conversation_that_is_over_but_for_its_rest() -> None:
    have_come, is_answering, may_go_on = threading.Event(), threading.Event(), threading.Event()

    def answer(message: bytes) -> None:
        is_answering.set()
        may_go_on.wait(DEADLINE)

    with windsock.serving(transport="udp") as server:
        server.play(Script().expect(b"a").wait_for(have_come))
        server.on(b"b").reply_with(answer)
        with connect(server) as client:
            client.send(b"a")
            client.send(b"b")
            wait_until(lambda: len(server.connections) == 2)
            have_come.set()
            assert is_answering.wait(DEADLINE)
        going_on = threading.Timer(0.1, may_go_on.set)
        going_on.start()
        server.stop()

        assert [each.name for each in threading.enumerate() if each.name.startswith("windsock script")] == []
        going_on.join(DEADLINE)


class HandedOver:
    """A lock that the server's thread has next when a script's thread has released it: it waits for what that does."""

    def __init__(self, done: threading.Event) -> None:
        self._lock = threading.Lock()
        self._done = done

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        if threading.current_thread().name.startswith("windsock script"):
            assert self._done.wait(DEADLINE)


def test_what_comes_while_a_script_ends_does_not_overtake_what_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third datagram comes in the moment in which the first script has given the second one back."""
    second_has_come, third_is_taken = threading.Event(), threading.Event()
    hear, leave, take = SessionEndpoint.hear, SessionEndpoint.leave, DatagramSessions.take

    def hear_it(end: SessionEndpoint, request: Any) -> None:
        hear(end, request)
        second_has_come.set()

    def send_third(end: SessionEndpoint) -> list[Any]:
        left = leave(end)
        if b"2" in [data for data, _ in left]:
            client.send(b"3")
        return left

    def take_it(talks: DatagramSessions, request: Any, client_address: Any) -> bool:
        try:
            return take(talks, request, client_address)
        finally:
            if request[0] == b"3":
                third_is_taken.set()

    monkeypatch.setattr(SessionEndpoint, "hear", hear_it)
    monkeypatch.setattr(SessionEndpoint, "leave", send_third)
    monkeypatch.setattr(DatagramSessions, "take", take_it)
    monkeypatch.setattr(DatagramSessions, "lock_class", lambda: HandedOver(third_is_taken))
    with windsock.serving(transport="udp") as server:
        server.play(
            Script().expect(b"1").wait_for(second_has_come).send(b"one"),
            Script().expect(b"2").send(b"two").expect(b"3").send(b"three"),
        )
        with connect(server) as client:
            client.send(b"1")
            client.send(b"2")
            assert [client.recv(10) for _ in range(3)] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("way", ["direct", "relayed", "proxied"])
def test_a_unix_datagram_of_more_than_64_kib_is_read_whole_on_both_sides(way: str) -> None:
    data = bytes(range(256)) * 700
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(windsock.serving(transport="unix_datagram", relay=way == "relayed"))
        server.on(data).reply(data)
        address: Any = server.address
        if way == "proxied":
            address = stack.enter_context(windsock.proxy(address, transport="unix_datagram")).address

        with windsock.scripted_client(address, transport="unix_datagram") as client:
            client.send(data).expect(data)


@on_every_datagram_kind
@pytest.mark.parametrize("way", ["rule", "script"])
def test_a_reply_too_long_for_a_datagram_fails_the_test(transport: str, concurrency: str, way: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, strict=False) as server:
        if way == "rule":
            server.on(b"x").reply(bytes(300_000))
        else:
            server.play(Script().expect(b"x").send(bytes(300_000)))
        with server.connect() as client:
            client.send(b"x")
            wait_for_error(server)

    assert isinstance(server.errors[0], UsageError)
    assert "(...): 300000 bytes are too many for one datagram here" in str(server.errors[0])
