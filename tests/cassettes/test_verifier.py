"""`windsock.verify()`: whether a real server still says what was recorded of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from windsock import CassetteOutdated, RunningServer, record, scripted_client, serving, verify

TALK = (b"ONE\n", b"TWO\n")


@pytest.fixture
def real() -> Any:
    with serving(framing="lines", allow_unused=True) as server:
        yield server


def talked(address: Any, *messages: bytes) -> None:
    with scripted_client(address) as client:
        for each in messages:
            client.send(each).expect(re.compile(rb".*\n"))


def recorded(server: RunningServer, path: Path, *messages: bytes, **options: Any) -> None:
    with record(server.address, path, **options) as recorder:
        talked(recorder.address, *messages)


def outdated(server: RunningServer, path: Path, *messages: bytes, **options: Any) -> CassetteOutdated:
    """Return the error of a verification."""
    verifier = verify(server.address, path, **options)
    talked(verifier.address, *messages)
    with pytest.raises(ExceptionGroup) as caught:
        verifier.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, CassetteOutdated)
    return error


@pytest.mark.parametrize("framing", ["lines", None])
def test_what_is_the_same_passes_and_writes_nothing(real: RunningServer, tmp_path: Path, framing: Any) -> None:
    real.echo()
    path = tmp_path / "talk.txt"
    recorded(real, path, *TALK, framing=framing)
    before = path.read_bytes()

    with verify(real.address, path) as verifier:
        talked(verifier.address, *TALK)

    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["talk.txt"]


@pytest.mark.parametrize(
    ("messages", "line", "why"),
    [
        ((b"ONE\n", b"TOO\n"), 8, "a request that differs: byte 1 is b'O', expected b'W'"),
        ((b"ONE\n",), 8, r"a request less than before: b'TWO\n'"),
        ((b"ONE\n", b"TWO\n", b"SIX\n"), 8, r"a request more than before: b'SIX\n'"),
    ],
)
def test_the_first_difference_is_named_with_its_line(
    real: RunningServer, tmp_path: Path, messages: tuple[bytes, ...], line: int, why: str
) -> None:
    real.echo()
    recorded(real, tmp_path / "talk.txt", *TALK, framing="lines")

    error = outdated(real, tmp_path / "talk.txt", *messages)

    assert (error.line, error.why) == (line, f"connection 1: {why}")
    assert "--windsock-cassettes=rewrite" in str(error)


def test_without_framing_the_bytes_count_not_how_they_were_cut(real: RunningServer, tmp_path: Path) -> None:
    real.echo()
    path = tmp_path / "talk.txt"
    recorded(real, path, b"ONE\n", b"TWO\n")

    with verify(real.address, path) as verifier, scripted_client(verifier.address) as client:
        client.send(b"ONE\nTWO\n").expect(b"ONE\nTWO\n")
    error = outdated(real, path, b"ONE\n", b"TOO\n")

    assert error.why == "connection 1: a request that differs: byte 5 is b'O', expected b'W'"
    assert path.read_text().splitlines()[(error.line or 0) - 1].endswith(r"> TWO\n")


def test_a_connection_that_is_missing_is_a_difference(real: RunningServer, tmp_path: Path) -> None:
    real.echo()
    with record(real.address, tmp_path / "talk.txt", framing="lines") as recorder:
        talked(recorder.address, b"ONE\n")
        talked(recorder.address, b"TWO\n")

    error = outdated(real, tmp_path / "talk.txt", b"ONE\n")

    assert error.why == r"connection 2: a request less than before: b'TWO\n'"


def test_connections_may_come_in_another_order_if_that_is_asked_for(real: RunningServer, tmp_path: Path) -> None:
    real.echo()
    path = tmp_path / "talk.txt"
    with record(real.address, path, framing="lines") as recorder:
        talked(recorder.address, b"ONE\n")
        talked(recorder.address, b"TWO\n")

    with verify(real.address, path, connections="by_first_message") as verifier:
        talked(verifier.address, b"TWO\n")
        talked(verifier.address, b"ONE\n")


def test_a_reply_may_vary_where_that_is_ignored(real: RunningServer, tmp_path: Path) -> None:
    real.on(b"ID").reply(b"id=1\n").then(b"id=2\n").then(b"id=3\n")
    path = tmp_path / "talk.txt"
    recorded(real, path, b"ID\n", framing="lines")

    with verify(real.address, path, ignore=re.compile(rb"id=(\d)")) as verifier:
        talked(verifier.address, b"ID\n")
    error = outdated(real, path, b"ID\n")

    assert error.diff[-2:] == (r"-< id=1\n", r"+< id=3\n")


def test_a_secret_may_have_another_value(real: RunningServer, tmp_path: Path) -> None:
    real.echo()
    path = tmp_path / "talk.txt"
    recorded(real, path, b"PASS swordfish\n", framing="lines")

    with verify(real.address, path) as verifier:
        talked(verifier.address, b"PASS marlin\n")


def test_datagrams_are_compared_too(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"

    def say(address: Any, message: bytes) -> None:
        with scripted_client(address, transport="udp") as client:
            client.send(message).expect(message)

    with serving(transport="udp", allow_unused=True) as real:
        real.echo()
        with record(real.address, path, transport="udp") as recorder:
            say(recorder.address, b"ONE")
        with verify(real.address, path, transport="udp") as same:
            say(same.address, b"ONE")
        other = verify(real.address, path, transport="udp")
        say(other.address, b"TWO")
        with pytest.raises(ExceptionGroup) as caught:
            other.finish()

    assert caught.group_contains(CassetteOutdated, match="a request that differs: byte 0 is b'T'")
