"""Urgent bytes in a recording: transcripts, scripts and files show where in the stream they were."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.servers.helpers import only_linux
from windsock import Script
from windsock.captures import subject_of, write_capture, write_events
from windsock.recording.events import Direction, Kind
from windsock.recording.store.spill_file import Event
from windsock.recording.urgency import UrgentByte, in_stream_order, located, out_of_line

pytestmark = only_linux

REPLY = Script().expect(b"abc").expect_urgent(b"X").expect(b"def").send(b"ok").urgent(b"+Y").send(b"!")
TALK = Script().send(b"abc").urgent(b"X").send(b"def").expect(b"ok+").expect_urgent(b"Y").expect(b"!")


def lines(transcript: list[str]) -> list[str]:
    return [re.sub(r"^\S+ #0 ", "", each) for each in transcript if " > " in each or " < " in each]


@pytest.mark.parametrize("concurrency", ["sync", "forking", "selecting", "trio"])
def test_a_transcript_shows_each_urgent_byte_with_its_position(concurrency: str) -> None:
    with windsock.serving(transport="tcp", concurrency=concurrency) as server:
        server.play(REPLY)
        with server.connect() as client:
            client.play(TALK)
        connection = server.connections.wait(1)[0]

        shown = lines(server.transcript())
        assert [each for each in shown if "urgent" in each] == ["> urgent b'X' at byte 3", "< urgent b'Y' at byte 3"]
        after_the_mark = shown[shown.index("> urgent b'X' at byte 3") + 1]
        assert re.fullmatch(r"> (1 B b'X'|4 B in \d pieces, until \S+: b'Xdef')", after_the_mark)
        assert [(each.direction, each.position, each.data, each.is_inline) for each in connection.urgent] == [
            (Direction.UPSTREAM, 3, b"X", True),
            (Direction.DOWNSTREAM, 3, b"Y", True),
        ]
        assert (connection.upstream, connection.downstream) == (b"abcXdef", b"ok+Y!")


@pytest.mark.parametrize("route", ["direct", "proxied"])
def test_a_recorded_connection_with_urgent_data_can_be_played_again(route: str) -> None:
    with windsock.serving(transport="tcp") as server:
        server.play(REPLY)
        server.play(REPLY)
        with windsock.proxy(server.address) as proxy:
            with windsock.scripted_client(proxy.address) as client:
                client.play(TALK)
            recorded = (server if route == "direct" else proxy).connections.wait(1)[0]
            script = recorded.as_script()
            assert script.steps[: len(TALK)] == TALK.steps
            expected = Script().expect(b"abc").expect_urgent(b"X").expect(b"def").send(b"ok+").urgent(b"Y").send(b"!")
            assert recorded.as_script("server").steps[: len(expected)] == expected.steps
            with server.connect() as client:
                client.play(script)


def test_json_lines_and_a_capture_have_urgent_bytes(tmp_path: Path) -> None:
    with windsock.serving(transport="tcp") as server:
        server.play(REPLY)
        with server.connect() as client:
            client.play(TALK)
        server.connections.wait(1)
        write_events(str(tmp_path / "events.jsonl"), [subject_of(server)])
        write_capture(str(tmp_path / "traffic.pcapng"), [subject_of(server)])

    found = [json.loads(each) for each in (tmp_path / "events.jsonl").read_text().splitlines()]
    urgent = [each for each in found if each["kind"] == "urgent"]
    assert [(each["direction"], each["position"], each["text"], each["inline"]) for each in urgent] == [
        ("upstream", 3, "X", True),
        ("downstream", 3, "Y", True),
    ]
    assert urgent_segments((tmp_path / "traffic.pcapng").read_bytes()) == [b"X", b"Y"]


def urgent_segments(capture: bytes) -> list[bytes]:
    """Return the first bytes of the segments with URG and a pointer of 1: TCP over IPv4, 20 bytes of header."""
    pattern = re.compile(rb"\x08\x00\x45.{8}\x06.{10}.{12}\x50[\x28-\x3f].{4}\x00\x01(.)", re.DOTALL)
    return [each[1] for each in pattern.finditer(capture)]


def test_a_mark_whose_byte_was_not_sent_after_all_is_dropped() -> None:
    with windsock.serving(lambda request, *_: refuse(request), transport="tcp") as server:
        with socket.create_connection(server.address) as client:
            client.recv(1)
        assert server.connections.wait(1)[0].urgent == []


def refuse(request: Any) -> None:
    request.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenPipeError):
        request.send(b"X", socket.MSG_OOB)


# --- values


def up(data: bytes) -> Event:
    return Event(0.0, Kind.UP, data)


def over(byte: bytes, ahead: int) -> Event:
    return Event(0.0, Kind.URGENT_UP, out_of_line(byte, ahead))


def sent(*events: Event) -> list[bytes]:
    """Return the data in the order in which it was sent; urgent bytes are followed by a quotation mark."""
    pieces = []
    is_urgent = False
    for each in in_stream_order(located(events)):
        if each.kind == Kind.UP:
            pieces.append(each.data + b"'" * is_urgent)
        is_urgent = each.kind == Kind.URGENT_UP
    return [each for each in pieces if each]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((up(b"ab"), over(b"X", 0), up(b"cd")), [b"ab", b"X'", b"cd"]),
        ((over(b"X", 3), up(b"abcde")), [b"abc", b"X'", b"de"]),
        ((over(b"X", 3), up(b"ab"), up(b"cd")), [b"ab", b"c", b"X'", b"d"]),
        ((over(b"X", 2), up(b"ab"), over(b"Y", 1), up(b"c")), [b"ab", b"X'", b"c", b"Y'"]),
        ((over(b"X", 3), up(b"a"), Event(0.0, Kind.CLIENT_EOF, b"")), [b"a", b"X'"]),
        ((over(b"X", 3), up(b"a")), [b"a", b"X'"]),
        ((over(b"X", 1), over(b"Y", 1), up(b"ab")), [b"a", b"X'", b"Y'", b"b"]),
    ],
)
def test_bytes_out_of_line_are_put_where_they_were_sent(events: tuple[Event, ...], expected: list[bytes]) -> None:
    assert sent(*events) == expected


def test_an_urgent_byte_says_where_it_was() -> None:
    assert str(UrgentByte(0.0, Direction.UPSTREAM, 3, b"X", True)) == "urgent b'X' at byte 3"
    assert str(UrgentByte(0.0, Direction.UPSTREAM, 3, b"X", False)) == "urgent b'X' at byte 3, out of line"
