"""The other files: JSON lines, transcripts, one timeline, and files that are whole or not there."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import windsock
from windsock.captures import CaptureSubject, subject_of, write_capture, write_events, write_transcript
from windsock.captures.files import new_file
from windsock.captures.key_log import key_log_of_environment, keys_of
from windsock.captures.text import transcript_lines
from windsock.faults import Drop, Reset
from windsock.recording import Recorder
from windsock.recording.events import Kind
from windsock.recording.transcript.timeline import merged
from windsock.recording.transcript.transcript import Transcript

ADDRESS = ("127.0.0.1", 8000)


def recording(*events: tuple[int, bytes], name: str = "server") -> CaptureSubject:
    """Return a recording of one connection with these events."""
    recorder = Recorder()
    connection = recorder.open(("127.0.0.1", 50_000))
    for kind, data in events:
        connection.note(kind, data)
    return CaptureSubject(name, ADDRESS, recorder.connections, description=f"{name}, somewhere")


def events_of(directory: Path, *subjects: CaptureSubject) -> list[dict[str, Any]]:
    path = directory / "events.jsonl"
    write_events(str(path), subjects)
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- JSON lines


@pytest.mark.parametrize(
    "data", [b"plain", "grüße ☃\0\x1b".encode(), b"\xff\xfe", b"", b"\xed\xa0\x80", bytes(300_000)]
)
def test_json_lines_have_all_bytes_as_text_or_in_base64(data: bytes, tmp_path: Path) -> None:
    _, event = events_of(tmp_path, recording((Kind.UP, data)))[:2]

    content = event["text"].encode() if "text" in event else base64.b64decode(event["base64"])
    assert content == data[:262144]
    assert event["size"] == len(content)
    assert (event["kind"], event["direction"], event["connection"]) == ("data", "upstream", 0)


def test_json_lines_say_what_happened_and_when(tmp_path: Path) -> None:
    subject = recording(
        (Kind.UP, b"a"),
        (Kind.FAULT, b"Reset(3): reset the connection"),
        (Kind.DOWN, b"bcd"),
        (Kind.RETRACT, b"1"),
        (Kind.MARK, b""),
        (Kind.CLIENT_RESET, b""),
        (Kind.CLOSE, b""),
    )

    found = events_of(tmp_path, subject)

    assert [(each["kind"], each["direction"], each.get("text")) for each in found] == [
        ("open", "upstream", None),
        ("data", "upstream", "a"),
        ("fault", None, "fault: Reset(3): reset the connection"),
        ("data", "downstream", "bc"),
        ("reset", "upstream", "client reset"),
        ("close", "downstream", None),
        ("end", None, "client reset"),
    ]
    assert found[0] | {"peer": "127.0.0.1:50000", "address": "127.0.0.1:8000", "server": "server"} == found[0]
    assert [each["elapsed"] for each in found] == sorted(each["elapsed"] for each in found)
    assert found[0]["elapsed"] == 0.0
    assert found[-1]["time"] - found[0]["time"] == pytest.approx(found[-1]["elapsed"], abs=2e-6)


# --- transcripts


def test_a_transcript_has_all_lines(tmp_path: Path) -> None:
    path = tmp_path / "transcript.txt"

    write_transcript(str(path), [recording(*[(number % 2, b"%d" % number) for number in range(2500)])])

    lines = path.read_text().splitlines()
    assert lines[:2] == ["server, somewhere", ""]
    assert [line.split(" ", 2)[2] for line in lines[3:-1]] == [
        f"{'<' if n % 2 else '>'} {len(str(n))} B b'{n}'" for n in range(2500)
    ]
    assert lines[-1].partition("#0 ")[2].startswith("is still open, silent since ")


def test_a_transcript_of_several_servers_is_one_timeline_that_names_them() -> None:
    first, second = recording((Kind.UP, b"1"), name="first"), recording((Kind.UP, b"2"), name="second")

    lines = [line.split(" ", 1)[1] for line in list(transcript_lines(Transcript([second, first])))[3:]]

    assert [each for each in lines if "is still open" not in each] == [
        "first #0 from 127.0.0.1:50000",
        "first #0 > 1 B b'1'",
        "second #0 from 127.0.0.1:50000",
        "second #0 > 1 B b'2'",
    ]


def test_a_transcript_ends_with_what_faults_did() -> None:
    with windsock.serving(name="server") as server:
        server.echo()
        with server.fault(Reset(after_bytes=2)), server.connect() as client:
            client.send(b"hello").expect_reset()
        server.connections.wait(1)

    lines = list(transcript_lines(Transcript([subject_of(server)])))

    assert lines[-3:] == ["", "faults:", "seed 0"]
    assert any("#0 ~ fault: Reset(2) upstream at byte 2: " in line for line in lines)


def test_faults_on_the_datagrams_of_a_server_are_on_the_timeline(tmp_path: Path) -> None:
    with windsock.serving(transport="udp", name="server") as server:
        server.fault(Drop(1), direction="upstream")
        with server.connect() as client:
            client.send(b"one").send(b"two")
        server.connections.wait(1)

    lines = list(transcript_lines(Transcript([subject_of(server)])))
    events = events_of(tmp_path, subject_of(server))

    assert re.fullmatch(r"\+0\.0000 ~ fault: Drop\(1\) on client #0 upstream: .*", lines[2])
    assert lines[3].partition(" ")[2].startswith("#0 from ")
    assert (events[0]["kind"], events[0]["connection"], events[0]["direction"]) == ("fault", None, "upstream")
    assert [each["elapsed"] for each in events] == sorted(each["elapsed"] for each in events)


def test_without_connections_a_transcript_says_so() -> None:
    transcript = Transcript([CaptureSubject("server", ADDRESS, [])])

    assert list(transcript_lines(transcript)) == ["server", "", "nothing was recorded"]


# --- the timeline


@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=6).map(sorted), max_size=6))
def test_a_timeline_is_in_order_and_complete(sources: list[list[int]]) -> None:
    items = list(merged([(each[0], each) for each in sources], lambda each: ((time, time) for time in each)))

    assert items == sorted(time for each in sources for time in each)


def test_a_source_is_begun_when_its_time_has_come() -> None:
    begun: list[int] = []

    def read(start: int) -> Iterator[tuple[float, int]]:
        begun.append(start)
        yield start, start
        yield start + 1, start + 1

    timeline = merged([(10, 10), (0, 0)], read)

    assert [next(timeline), list(begun)] == [0, [0]]
    assert list(timeline) == [1, 10, 11]


# --- files


def test_a_file_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def fail() -> None:
        with new_file(str(path)) as file:
            file.write(b"half")
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("write", [write_capture, write_events, write_transcript])
def test_a_file_that_cannot_be_is_an_error_of_the_system(write: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(str(tmp_path / "nowhere" / "file"), [])


def test_a_file_without_room_is_an_error_of_the_system_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_capture(str(tmp_path / "file"), [recording((Kind.UP, bytes(400_000)))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert os.listdir(tmp_path) == []


# --- keys


def test_only_the_keys_of_recorded_sessions_are_taken() -> None:
    random = bytes(range(32))
    hello = b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03" + random + b"rest"
    known = b"CLIENT_TRAFFIC_SECRET_0 " + random.hex().encode() + b" " + b"aa" * 32
    other = b"CLIENT_RANDOM " + b"00" * 32 + b" " + b"bb" * 48
    subject = recording((Kind.UP, hello[:20]), (Kind.UP, hello[20:]))

    keys = keys_of(subject.connections, b"\n".join([b"# comment", known, other, b"", b"a b c", b"x \xff y", known]))

    assert keys == known + b"\n" + known + b"\n"
    assert keys_of(recording((Kind.UP, b"GET / HTTP/1.1\r\n" * 9)).connections, known) == b""


def test_the_key_log_of_the_environment_may_not_exist_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    before = key_log_of_environment()
    (tmp_path / "keys").write_text("a b c\n")

    assert (before, key_log_of_environment()) == (b"", b"a b c\n")
    monkeypatch.delenv("SSLKEYLOGFILE")
    assert key_log_of_environment() == b""
