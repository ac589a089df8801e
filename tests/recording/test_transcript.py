"""What a transcript says: a line for each thing that happened, and fewer of them if there are many."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.support.waiting import DEADLINE, wait_until
from windsock.captures import write_events
from windsock.captures.page import write_page
from windsock.faults import Refuse
from windsock.harness import CONCURRENCIES
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.recording.transcript.data import shown
from windsock.recording.transcript.excerpt import LINES, excerpt
from windsock.recording.transcript.lines import lines_of
from windsock.recording.transcript.subjects import CaptureSubject, subject_of
from windsock.recording.transcript.transcript import Transcript

PEER = ("127.0.0.1", 50_000)
on_every_concurrency = pytest.mark.parametrize("concurrency", CONCURRENCIES)


def complain(request: Any, client_address: Any, server: Any) -> None:
    request.recv(100)
    raise LookupError("what is wrong\nand all about it")


def recorded(*connections: list[tuple[int, bytes]], name: str = "server") -> CaptureSubject:
    """Return a recording of connections with these events."""
    recorder = Recorder()
    for events in connections:
        connection = recorder.open(PEER)
        for kind, data in events:
            connection.note(kind, data)
    return CaptureSubject(name, ("127.0.0.1", 8000), recorder.connections)


def words(connection: Connection) -> list[str]:
    """Return what the lines of a connection say, after the one that says where it is from."""
    return [line.words(line.latest) for line in lines_of(connection)][1:]


def of_events(*events: tuple[int, bytes]) -> list[str]:
    return words(recorded(list(events)).connections[0])


def said(lines: list[str]) -> list[str]:
    """Return lines without their times."""
    return [line.partition(" ")[2] if line.startswith("+") else line for line in lines]


# --- the lines of a connection


class BrokenAtTheEnd(windsock.servers.ThreadingTCPServer):
    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        raise OSError("the second")


class ForkedBrokenAtTheEnd(windsock.servers.ForkingTCPServer):
    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        raise OSError("the second")


@pytest.mark.parametrize("server_class", [BrokenAtTheEnd, ForkedBrokenAtTheEnd])
def test_each_of_several_errors_of_a_connection_has_its_line(server_class: type[Any], tmp_path: Path) -> None:
    with windsock.serving(server_class, complain) as server:
        with server.connect() as client:
            client.send(b"x").expect_eof()
        wait_until(lambda: len(server.errors) == 2, "both errors")
        server.errors.take()
    write_events(str(tmp_path / "events"), [subject_of(server)])
    write_page(tmp_path / "page", "test", [server])

    lines = [line.partition("! ")[2] for line in server.transcript() if "handler error" in line]
    assert lines == ["handler error: LookupError: what is wrong...", "handler error: OSError: the second"]
    for name in "events", "page":
        text = (tmp_path / name).read_text()
        assert text.index("handler error: LookupError") < text.index("handler error: OSError")


def test_an_error_of_many_lines_is_one_line_of_the_transcript() -> None:
    with windsock.serving(complain) as server:
        with server.connect() as client:
            client.send(b"x").expect_eof()
        server.errors.take()

    lines = [line for line in server.transcript() if "handler error" in line]
    assert [line.split(" ", 1)[1] for line in lines] == ["#0 ! handler error: LookupError: what is wrong..."]


def test_what_passes_in_a_row_in_one_direction_is_one_line() -> None:
    pieces = [(Kind.UP, b"%06d" % number * 1000) for number in range(18)]

    assert of_events(*pieces, (Kind.DOWN, b"ok"), (Kind.UP, b"more")) == [
        f"> 108,000 B in 18 pieces, until +0.0000: {b'000000' * 8!r}...",
        "< 2 B b'ok'",
        "> 4 B b'more'",
    ]


def test_what_is_no_line_of_its_own_does_not_end_a_run() -> None:
    found = of_events((Kind.UP, b"a"), (Kind.MARK, b""), (Kind.SCRIPT, b"script 1: begun"), (Kind.UP, b"b"))

    assert found == ["> 2 B in 2 pieces, until +0.0000: b'ab'"]


def test_what_happens_repeatedly_is_one_line_with_its_number() -> None:
    assert of_events(*[(Kind.TIMEOUT, b"")] * 1500) == ["timed out waiting for the client (1,500 times, until +0.0000)"]


def test_each_datagram_has_a_line_empty_ones_too() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        for answer in (b"one", b"", b"two"):
            request[1].sendto(answer, client_address)

    with windsock.serving(handler, transport="udp") as server:
        with server.connect() as client:
            client.send(b"").expect(b"one").expect(b"").expect(b"two")
        server.connections.wait(1)

    found = [line for line in words(server.connections[0]) if line[0] in "<>"]
    assert found == ["> 0 B b''", "< 3 B b'one'", "< 0 B b''", "< 3 B b'two'"]


@on_every_concurrency
@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_ends_of_a_connection_are_there_once(concurrency: str, relay: bool, tls: bool) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        while request.recv(10):
            pass
        request.recv(10)
        request.shutdown(socket.SHUT_WR)

    with windsock.serving(handler, concurrency=concurrency, relay=relay, tls=tls) as server:
        with server.connect() as client:
            client.send(b"x").half_close().expect_eof()
        server.connections.wait(1)

    lines = words(server.connections[0])
    assert lines.count("client EOF") == 1
    assert lines.count("server half-close") == 1


@on_every_concurrency
@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
def test_the_end_says_what_was_not_read(transport: str, concurrency: str) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.recv(5, socket.MSG_WAITALL)
        request.recv(8, socket.MSG_PEEK | socket.MSG_WAITALL)

    with windsock.serving(handler, transport=transport, concurrency=concurrency) as server:
        with server.connect() as client:
            client.send(b"helloabcdefgh").expect_end()
        server.connections.wait(1)

    assert words(server.connections[0])[-1] == "ended: server close, 8 B unread"
    assert server.connections[0].unread == 8


async def read_five(stream: Any, client_address: Any, server: Any) -> None:
    await stream.receive_some(5)


def test_the_end_says_what_an_async_handler_did_not_read() -> None:
    with windsock.serving(read_five, concurrency="trio") as server:
        with server.connect() as client:
            client.send(b"helloabcdefgh").expect_end()
        server.connections.wait(1)

    assert words(server.connections[0])[-1] == "ended: server close, 8 B unread"


def test_the_end_says_what_was_not_sent() -> None:
    given = [(Kind.DOWN, b"x" * 500), (Kind.RETRACT, b"120"), (Kind.CLIENT_RESET, b""), (Kind.CLOSE, b"")]

    assert of_events(*given)[-1] == "ended: client reset, 120 B unsent"
    assert of_events(given[0], given[1], (Kind.DOWN, b"x" * 120), (Kind.CLOSE, b""))[-1] == "ended: server close"


def test_an_unsent_rest_is_what_a_client_that_leaves_has_not_taken() -> None:
    size = 20_000_000

    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(bytes(size))

    with windsock.serving(handler, strict=False) as server:
        with server.connect() as client:
            client.expect(bytes(100)).reset()
        server.connections.wait(1)

    connection = server.connections[0]
    assert connection.unsent > 0
    assert words(connection)[-1] == f"ended: client reset, {connection.unsent:,} B unsent"


# --- data


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "b''"),
        (b"GET / HTTP/1.1\r\n", r"b'GET / HTTP/1.1\r\n'"),
        (b"PING\x00", r"b'PING\x00'"),
        ("grüße ☃\r\n".encode(), r"'grüße ☃\r\n'"),
        ("日本語".encode(), "'日本語'"),
        ("Grüße aus Köln".encode("latin-1"), r"b'Gr\xfc\xdfe aus K\xf6ln'"),
        (b"\x00\x00\x00\x02ok", "00 00 00 02 6f 6b  ....ok"),
        (b"01234567" + bytes(range(0xC0, 0xE0)),
         f"{b'01234567'.hex(' ')} {bytes(range(0xC0, 0xC8)).hex(' ')}  01234567........ ..."),
        ("\u202e\u202e\u200b\u200b".encode(), "e2 80 ae e2 80 ae e2 80 8b e2 80 8b  ............"),
        (b"x" * 100, repr(b"x" * 48) + "..."),
        (b"x" * 47 + "ü".encode(), repr("x" * 47) + "..."),
    ],
)  # fmt: skip
def test_text_is_shown_as_text_and_anything_else_as_a_hex_dump(data: bytes, expected: str) -> None:
    assert shown(data, len(data)) == expected


# --- several servers


def test_all_servers_have_one_zero_and_each_line_names_one() -> None:
    first, second = recorded([(Kind.UP, b"1")], name="first"), recorded([(Kind.UP, b"2")], name="second")
    marks = [(second.connections[0].opened, "the test's body ended")]

    lines = list(Transcript([second, first], marks).lines())

    assert lines[0] == "+0.0000 first #0 from 127.0.0.1:50000"
    assert said(lines) == [
        "first #0 from 127.0.0.1:50000",
        "first #0 > 1 B b'1'",
        "second #0 from 127.0.0.1:50000",
        "--- the test's body ended",
        "second #0 > 1 B b'2'",
    ]


def test_open_connections_are_named_with_what_their_handlers_do() -> None:
    subject = recorded([(Kind.UP, b"1")], [(Kind.CLOSE, b"")], [])
    transcript = Transcript([subject])
    assert len(list(transcript.lines())) == 5

    first, third = transcript.still_open([{0: "its handler waits"}])

    assert first.startswith("--- #0 is still open, silent since +0.0")
    assert first.endswith("; its handler waits")
    assert third.startswith("--- #2 is still open, silent since +0.0")


def test_a_fault_of_the_listener_is_on_the_timeline() -> None:
    with windsock.serving(name="server") as server, server.fault(Refuse()), pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, timeout=DEADLINE)

    assert said(server.transcript()) == ["~ fault: Refuse(): the listener is shut"]
    assert said(list(Transcript([subject_of(server)]).lines())) == ["~ fault: Refuse(): the listener is shut"]


# --- limited in length


def ask(data: bytes = b"GET\n", answer: bytes = b"ok\n") -> list[tuple[int, bytes]]:
    return [(Kind.UP, data), (Kind.DOWN, answer), (Kind.CLIENT_EOF, b""), (Kind.CLOSE, b"")]


def test_a_transcript_that_fits_is_whole() -> None:
    lines, is_whole = excerpt(Transcript([recorded(*[ask()] * 12)]))

    assert (len(lines), is_whole) == (60, True)


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ([ask()] * 1000, ask(b"PUT\n")),
        ([ask(b"GET /%d\n" % number) for number in range(1000)], ask(b"GET /5\n", b"404\n")),
        ([ask(b"%d" % number, b"%d" % number) for number in range(1000)], [(Kind.UP, b"7"), (Kind.CLOSE, b"")]),
    ],
    ids=["in what was asked", "in what was answered", "in what happened"],
)
def test_the_connection_that_differs_is_first(usual: list[Any], other: list[Any]) -> None:
    lines, is_whole = excerpt(Transcript([recorded(*usual[:517], other, *usual[517:])]))

    assert not is_whole
    own = len(other) + 1
    assert all(line.startswith("#517 ") for line in said(lines[:own]))
    assert lines[own] == "--- 1,000 of the 1,001 connections of server are alike; the first of them:"
    assert all(line.startswith("#0 ") for line in said(lines[own + 1 :]))
    assert len(lines) == own + 6


def test_connections_of_which_most_are_different_are_cut_in_the_middle() -> None:
    courses = [[(Kind.UP, b"%d" % number), (Kind.DOWN, b"%d" % number)] * (1 + number % 3) for number in range(99)]

    lines, is_whole = excerpt(Transcript([recorded(*courses)]))

    assert (len(lines), is_whole) == (60, False)
    assert lines[20] == "... 436 more lines ..."


def many_servers() -> Iterator[CaptureSubject]:
    for number in range(30):
        yield recorded(*[ask()] * 100, ask(b"%d" % number), name=f"server {number}")


def test_the_limit_is_for_all_servers_together() -> None:
    lines, _ = excerpt(Transcript(list(many_servers())))

    assert len(lines) <= LINES
    assert said(lines)[0] == "server 0 #100 from 127.0.0.1:50000"


def test_nothing_is_said_to_be_nothing() -> None:
    assert excerpt(Transcript([recorded(), recorded()], [(1.0, "the test's body ended")])) == (
        ["nothing was recorded"],
        True,
    )
    assert list(Transcript([]).lines()) == ["nothing was recorded"]


def test_tls_has_its_ends_again_after_it() -> None:
    assert of_events((Kind.CLIENT_EOF, b""), (Kind.TLS_END, b""), (Kind.CLIENT_EOF, b"")) == [
        "client EOF",
        "TLS ended, unencrypted from here",
        "client EOF",
    ]


def test_a_truncated_client_is_told_from_one_that_has_ended_tls() -> None:
    with windsock.serving(tls=True).echo() as server:
        raw = socket.create_connection(server.address, timeout=DEADLINE)
        with server.client_context().wrap_socket(raw, server_hostname="localhost") as client:
            assert isinstance(client, ssl.SSLSocket)
        server.connections.wait(1)

    assert "client EOF, TLS truncated (no close_notify)" in words(server.connections[0])
