"""Cassette files: what they hold, what is wrong with damaged ones, and that they are whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

import windsock
from tests.cassettes.helpers import cassette, talk
from windsock import Cassette, CassetteError
from windsock.cassettes import write_cassette
from windsock.cassettes.escapes import bytes_from, text_of
from windsock.cassettes.header import Header
from windsock.cassettes.line import CassetteLine, Message, What, line_from, line_text
from windsock.cassettes.replayer import replay
from windsock.recording import framing_from
from windsock.redaction.redactor import mask_of


@given(some.binary(max_size=80))
def test_every_message_comes_back_from_its_line(data: bytes) -> None:
    line = CassetteLine(1.25, 3, What.REQUEST, Message(data))

    text = line_text(line)

    assert line_from(text.encode()) == line
    assert text.isprintable()
    assert text == text.strip()


@given(some.text(max_size=40), some.integers(1, 30), some.text(max_size=40))
def test_a_secret_comes_back_as_a_mask_in_its_place(before: str, size: int, after: str) -> None:
    start = len(before.encode(errors="replace"))
    data = before.encode(errors="replace") + mask_of(size) + after.encode(errors="replace")

    text = text_of(data, [(start, start + size)])

    assert bytes_from(text[2:].lstrip().encode() if text[0] == "x" else text[1:].encode(), is_hex=text[0] == "x") == (
        data,
        ((start, start + size),),
    )


@pytest.mark.parametrize("value", [None, "lines", "eof", b"\r\n\r\n", 16, "redis", windsock.LengthPrefix(2, "little")])
def test_the_framing_is_in_the_header(value: object) -> None:
    header = Header.of("tcp", framing_from(value))

    assert header.framing_value() == framing_from(value)


BROKEN = {
    "": (None, "it is empty"),
    "hello\n": (1, "it is no cassette"),
    "windsock cassette 99\n": (1, "version 99, and this windsock reads version 1; upgrade pytest-windsock"),
    "windsock cassette x\n": (1, "version 'x': expected a whole number"),
    "windsock cassette 1\n\nend\n": (2, "no 'transport: '"),
    "windsock cassette 1\ntransport: carrier pigeon\n\nend\n": (2, "expected 'transport: ' with one of tcp"),
    "windsock cassette 1\ntransport: tcp\n\n+0.000 1 opened\n": (4, "ends without the line 'end'"),
    "windsock cassette 1\ntransport: tcp\n\n+0.000 1 opened\n+0.0": (5, "is no line of a cassette"),
    "windsock cassette 1\ntransport: tcp\n\n+0.000 1 opened\n+0.000 1 > a\\q\nend\n": (5, "is no line of a cassette"),
    "windsock cassette 1\ntransport: tcp\n\n+0.000 1 opened\n+0.000 1 >x abc\nend\n": (5, "is no line of a cassette"),
    "windsock cassette 1\ntransport: tcp\n\n<<<<<<< HEAD\nend\n": (4, "is no line of a cassette"),
    "windsock cassette 1\ntransport: tcp\n\n+0.000 1 > a\nend\n": (4, "connection 1 has no line 'opened' before"),
    "windsock cassette 1\ntransport: tcp\n\n+0.000 1 opened\n+0.000 1 opened\nend\n": (5, "opened a second time"),
    "windsock cassette 1\ntransport: tcp\n\nend\nmore\n": (5, "something follows"),
    "windsock cassette 1\ntransport: tcp\nframing: telepathy\n\nend\n": (None, "framing='telepathy'"),
}


@pytest.mark.parametrize("text", list(BROKEN))
def test_a_damaged_file_names_its_path_and_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    line, words = BROKEN[text]

    with pytest.raises(CassetteError) as caught:
        replay(path)

    assert (caught.value.path, caught.value.line) == (str(path), line)
    assert words in str(caught.value)


def test_a_cassette_that_another_program_has_made_is_replayed(tmp_path: Path) -> None:
    lines = [
        CassetteLine(0.0, 1, What.OPENED),
        CassetteLine(0.5, 1, What.REQUEST, Message(b"PING\n")),
        CassetteLine(0.5, 1, What.REPLY, Message(b"+PONG\n")),
    ]
    write_cassette(tmp_path / "a.txt", Header.of("tcp", framing_from("lines")), lines)

    with windsock.replay(tmp_path / "a.txt") as server:
        talk((b"PING\n", b"+PONG\n"))(server.address)
    with Cassette(tmp_path / "a.txt") as opened:
        assert [line for _, line in opened.all_lines()] == lines


def test_a_file_that_is_not_there_says_how_to_record_it(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="No such file or directory; record it first"):
        windsock.replay(tmp_path / "a.txt")


def test_comments_empty_lines_and_carriage_returns_are_allowed(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 > PING\n", r"1 < +PONG\n")
    path.write_bytes(path.read_bytes().replace(b"end\n", b"# reviewed\n\nend\n").replace(b"\n", b"\r\n"))

    with windsock.replay(path) as server:
        talk((b"PING\n", b"+PONG\n"))(server.address)


def test_a_cassette_that_is_changed_while_it_is_replayed_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 > PING\n")
    with Cassette(path) as opened:
        path.write_text("something shorter")

        with pytest.raises(CassetteError, match=r"a\.txt: it was changed while it was replayed"):
            list(opened.lines(1))


def test_a_line_is_found_by_its_number_however_far_down(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", *[rf"1 > {'x' * 900}{each}\n" for each in range(1000)])

    with Cassette(path) as opened:
        lines = list(opened.lines(1))
        assert [opened.line_number(at) for at, _ in lines] == list(range(5, 1006))
        assert lines[-1][1].message.data == b"x" * 900 + b"999\n"


@pytest.mark.parametrize("where", ["file.txt/a.txt", "directory"])
def test_a_path_that_cannot_be_written_is_an_error_before_anything_is_recorded(tmp_path: Path, where: str) -> None:
    (tmp_path / "file.txt").write_text("")
    (tmp_path / "directory.part").mkdir()

    with windsock.serving() as server, pytest.raises(CassetteError, match="it cannot be written"):
        windsock.record(server.address, tmp_path / where)


def test_records_cannot_be_kept_which_is_said_at_once(tmp_path: Path) -> None:
    with (
        windsock.serving(transport="unix_seqpacket") as server,
        pytest.raises(CassetteError, match="cannot keep records"),
    ):
        windsock.record(server.address, tmp_path / "a.txt", transport="unix_seqpacket")

    assert os.listdir(tmp_path) == []


def test_a_recording_that_is_given_up_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("as it was")

    with windsock.serving() as server:
        windsock.record(server.address, path).stop()
        with pytest.raises(ZeroDivisionError), windsock.record(server.address, path):
            1 / 0  # noqa: B018

    assert path.read_text() == "as it was"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_two_recordings_of_one_file_are_an_error_at_once_and_allowed_in_turn(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with windsock.serving(framing="lines", allow_unused=True) as server:
        server.on(b"PING").reply(b"+PONG\n")
        with windsock.record(server.address, path), pytest.raises(CassetteError, match="another test or process is"):
            windsock.record(server.address, path)
        with windsock.record(server.address, path) as real:
            talk((b"PING\n", b"+PONG\n"))(real.address)

    with windsock.replay(path) as fake:
        talk((b"PING\n", b"+PONG\n"))(fake.address)


KILLED = """
import sys, windsock
server = windsock.serving(framing="lines")
server.on(b"PING").reply(b"+PONG\\n")
recorder = windsock.record(server.address, sys.argv[1], framing="lines")
with windsock.scripted_client(recorder.address) as client:
    client.send(b"PING\\n").expect(b"+PONG\\n")
print("recorded", flush=True)
sys.stdin.read()
"""


def test_a_killed_recording_leaves_no_cassette_and_does_not_stop_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"recorded\n"
        with (
            windsock.serving() as server,
            pytest.raises(CassetteError, match="another test or process is recording it"),
        ):
            windsock.record(server.address, path)
        child.send_signal(signal.SIGKILL)

    assert not path.exists()
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"+PONG\n")
        with windsock.record(server.address, path, framing="lines") as real:
            talk((b"PING\n", b"+PONG\n"))(real.address)
    assert os.listdir(tmp_path) == ["a.txt"]
