"""Data that is not one run of bytes: files, generators, lists, repeated bytes; and long runs that are not kept."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripts.conversations import sent_by
from windsock import Repeat, Script, ScriptMismatch, ScriptTimeout, UsageError
from windsock.scripts import Inbox, Progress, Transmit, Wait

TEXT_FILE: Any = io.StringIO("x")
MIB = 1024 * 1024


def test_repeated_bytes_are_those_of_a_product() -> None:
    for size, times in [(1, 1), (3, 1), (1, 70_000), (3, 50_000), (100_000, 2)]:
        body = Repeat(bytes(range(256))[:size] if size <= 256 else bytes(size), times)

        assert sent_by(Script().send(body), b"") == body.data * times
        assert len(body) == size * times


def test_a_gibibyte_is_sent_in_little_memory() -> None:
    progress = Progress(Script().send(Repeat(b"x", 1 << 30)), Inbox(), timeout=1.0)
    size = 0
    tracemalloc.start()
    try:
        while isinstance(action := progress.next(0.0), Transmit):
            size += len(action.data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert size == 1 << 30
    assert peak < MIB


def test_a_long_run_is_taken_in_little_memory() -> None:
    inbox = Inbox()
    progress = Progress(Script().expect(64 * MIB).expect(b"end"), inbox, timeout=1.0)
    block = bytes(64 * 1024)
    tracemalloc.start()
    try:
        for _ in range(64 * 16):
            assert isinstance(progress.next(0.0), Wait)
            inbox.receive(block, 0.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    inbox.receive(b"end", 0.0)
    assert progress.next(0.0) is None
    assert peak < MIB


def test_a_long_run_that_ends_early_says_how_far_it_came() -> None:
    inbox = Inbox()
    progress = Progress(Script().expect(2 * MIB), inbox, timeout=1.0)
    inbox.receive(bytes(MIB), 0.0)
    progress.next(0.0)
    inbox.receive_eof(0.0)

    with pytest.raises(ScriptMismatch, match=r"other end closed \(EOF\) after 1048576 of 2097152"):
        progress.next(0.0)


def test_a_long_run_that_stops_coming_says_how_far_it_came() -> None:
    inbox = Inbox()
    progress = Progress(Script().expect(2 * MIB), inbox, timeout=1.0)
    progress.next(0.0)
    inbox.receive(bytes(MIB), 0.9)
    assert progress.next(0.9) == Wait(1.9)

    with pytest.raises(ScriptTimeout, match=r"1048576 of 2097152 bytes came within 1 s of the latest"):
        progress.next(1.9)


def test_an_open_file_is_sent_from_its_position_each_time(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"head" + bytes(100_000))
    with path.open("rb") as file:
        file.seek(2)
        script = Script().send(file)
        file.seek(50)

        assert sent_by(script, b"") == sent_by(script, b"") == b"ad" + bytes(100_000)


@pytest.mark.parametrize("make", [io.BytesIO, lambda data: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data)))])
def test_a_file_that_is_none_of_the_system_is_sent_too(make: Callable[[bytes], Any]) -> None:
    script = Script().send(make(b"abc" * 50_000))

    assert sent_by(script, b"") == sent_by(script, b"") == b"abc" * 50_000


def test_a_pipe_is_sent_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"abc")
    os.close(writer)
    with open(reader, "rb") as file:
        script = Script().send(file)

        assert sent_by(script, b"") == b"abc"
        with pytest.raises(UsageError, match="was sent before, and can be sent once; pass a function"):
            sent_by(script, b"")


def numbers() -> Iterator[bytes]:
    yield b"1"
    yield b""
    yield b"2"


def test_a_generator_is_sent_once() -> None:
    script = Script().send(numbers())

    assert sent_by(script, b"", joined=False) == [b"1", b"2"]
    with pytest.raises(UsageError, match="was sent before, and can be sent once; pass a function"):
        sent_by(script, b"")


def test_a_generator_goes_on_when_the_part_before_was_sent() -> None:
    made = []

    def parts() -> Iterator[bytes]:
        for number in (b"1", b"2"):
            made.append(number)
            yield number

    progress = Progress(Script().send(parts()), Inbox(), timeout=1.0)

    progress.next(0.0)
    assert made == [b"1"]
    progress.next(0.0)
    assert made == [b"1", b"2"]


def test_an_endless_generator_ends_with_the_time_of_the_test() -> None:
    progress = Progress(Script().send(itertools.repeat(b"x")), Inbox(), timeout=1.0, limit=5.0)
    progress.next(0.0)

    with pytest.raises(ScriptTimeout, match="the time of the test is over, and there is more to send"):
        progress.next(5.0)


def test_each_of_several_is_a_datagram() -> None:
    progress = Progress(Script().send([b"1", b"", b"2"]), Inbox(is_datagram=True), timeout=1.0)

    assert [progress.next(0.0).data for _ in range(3)] == [b"1", b"", b"2"]  # type: ignore[union-attr]  # transmits
    assert progress.next(0.0) is None


def test_scripts_with_equal_data_are_equal() -> None:
    file = io.BytesIO(b"x")

    assert Script().send([b"a", b"b"]) == Script().send((b"a", b"b"))
    assert Script().send(file) == Script().send(file)
    assert Script().send(Repeat(b"x", 2)) == Script().send(Repeat(b"x", 2)) != Script().send(Repeat(b"x", 3))
    assert repr(Script().send([b"a", b"b"])) == "Script().send([b'a', b'b'])"


def closed_file() -> Any:
    file = io.BytesIO(b"x")
    file.close()
    return file


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Repeat(b"", 2), "Repeat(b'', ...): expected the bytes to repeat, at least one"),
        (lambda: Repeat("x", 2), "Repeat('x'): expected bytes; encode text first"),  # type: ignore[arg-type]  # wrong
        (lambda: Repeat(b"x", 0), "Repeat(b'x', 0): expected a whole number, 1 or more"),
        (lambda: Script().send([]), "send([]): there is nothing in it; expected runs of bytes"),
        (
            lambda: Script().send([b"a", 1]),  # type: ignore[list-item]  # wrong
            "send([b'a', 1]): item 2 of [b'a', 1] is 1; expected bytes; encode text first",
        ),
        (
            lambda: Script().send(TEXT_FILE),
            "a file of text has no bytes; open it in binary mode, as in open(path, 'rb')",
        ),
        (lambda: Script().send(closed_file()), "the file is closed; leave it open until it has been sent"),
        (
            lambda: Script().send([b"a"], pieces=2),
            "send([b'a'], pieces=2): pieces= and every= are for bytes; this is sent in parts of its own",
        ),
        (
            lambda: Script().send(Repeat(b"x", 9)).check(is_datagram=True),
            "step 1, send(Repeat(b'x', 9)): a datagram has an end; send bytes, or several datagrams in a list",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()

    assert str(caught.value).endswith(words)


def test_a_file_that_is_closed_too_early_is_named() -> None:
    file = io.BytesIO(b"x")
    script = Script().send(file)
    file.close()

    with pytest.raises(UsageError, match="the file was closed before it was sent; close it after the test's last"):
        sent_by(script, b"")
