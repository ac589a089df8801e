"""`windsock record` and `windsock replay`, and `windsock serve` with a cassette."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.commands.helpers import running
from windsock import scripted_client, serving
from windsock.captures import subject_of, write_capture

NEEDS_DPKT = pytest.mark.skipif(find_spec("dpkt") is None, reason="pip install pytest-windsock[pcap]")


@pytest.fixture
def cassette(tmp_path: Path) -> str:
    """A recording of a ping, a reply, and a secret."""
    path = str(tmp_path / "talk.txt")
    with serving(framing="lines") as server:
        server.on(b"PING\n").reply(b"PONG\n")
        server.on(b"PASS swordfish\n").reply(b"welcome\n")
        with running("record", server.shown_address, path, "--framing", "lines") as command:
            command.wait_for(f"cassette: {path}")
            with scripted_client(command.address) as client:
                client.send(b"PING\n").expect(b"PONG\n").send(b"PASS swordfish\n").expect(b"welcome\n")
            command.wait_for("ended: client EOF")
    assert command.code == 0
    return path


@pytest.mark.parametrize("command_name", ["replay", "serve"])
def test_what_was_recorded_is_replayed_without_the_server(command_name: str, cassette: str) -> None:
    with running(command_name, cassette, "--strict") as command:
        with scripted_client(command.address) as client:
            client.send(b"PING\n").expect(b"PONG\n").send(b"PASS anything.\n").expect(b"welcome\n")
        command.wait_for("ended: client EOF")

    assert command.code == 0
    assert [line for line in command.lines if line.startswith("problem")] == []


@NEEDS_DPKT
def test_a_capture_is_imported_and_what_became_of_it_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "talk.txt")
    with serving(framing="lines") as server:
        server.echo()
        with server.connect() as client:
            client.send(b"PING\n").expect(b"PING\n")
        server.connections.wait(1)
    write_capture(str(tmp_path / "a.pcapng"), [subject_of(server)])

    with running("import", str(tmp_path / "a.pcapng"), "-o", path, "--framing", "lines") as command:
        command.wait_for("1 connection")

    assert command.code == 0
    assert command.lines == [f"{path}:", f"1 connection to {server.shown_address}"]
    assert r"> PING\n" in Path(path).read_text()


@NEEDS_DPKT
def test_a_capture_that_cannot_be_imported_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running("import", str(tmp_path / "missing.pcap"), "-o", str(tmp_path / "talk.txt")) as command:
        pass

    assert command.code == 2
    assert "missing.pcap: it cannot be read: " in capsys.readouterr().err


def test_a_secret_is_not_in_the_cassette(cassette: str) -> None:
    text = Path(cassette).read_text()

    assert "> PING" in text
    assert "swordfish" not in text


def test_traffic_that_was_not_recorded_is_shown_with_the_nearest_line(cassette: str) -> None:
    with running("replay", cassette, "--strict") as command:
        with scripted_client(command.address) as client:
            client.send(b"PONG\n").expect_eof()
        command.wait_for("ended: ")

    assert command.code == 1
    assert any("UnmatchedTraffic" in line and "received b'PONG" in line for line in command.lines)
    assert any("nearest, line" in line for line in command.lines)


def test_without_strict_it_is_shown_too_and_the_exit_code_is_0(cassette: str) -> None:
    with running("replay", cassette) as command:
        with scripted_client(command.address) as client:
            client.send(b"PONG\n").expect_eof()
        command.wait_for("ended: ")

    assert command.code == 0
    assert [line for line in command.lines if "nearest, line" in line] == ["  nearest, line 6: b'PING\\n'"]


def test_a_cassette_of_a_unix_socket_is_replayed_at_the_path_that_is_asked_for(tmp_path: Path) -> None:
    path = str(tmp_path / "talk.txt")
    Path(path).write_text(
        "windsock cassette 1\ntransport: unix_stream\nframing: lines\n\n+0.000 1 opened\n+0.000 1 > hi\\n\nend\n"
    )
    with running("replay", path, "--unix", str(tmp_path / "s")) as command:
        with scripted_client(str(tmp_path / "s")) as client:
            client.send(b"hi\n")
        command.wait_for("ended: ")

    assert command.code == 0


def test_parts_that_vary_are_ignored_and_faults_act(cassette: str) -> None:
    options = ["--ignore", r"P(I)NG", "--pace", "0.5", "--fault", "Reset(after_bytes=5), direction='downstream'"]
    with running("replay", cassette, *options) as command, scripted_client(command.address) as client:
        client.send(b"PxNG\n").expect(b"PONG\n").send(b"PASS swordfish\n").expect_reset()


def test_a_recording_that_is_stopped_by_an_error_leaves_the_cassette_as_it_was(
    cassette: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(cassette).read_bytes()

    with running("record", "no-such-host.invalid:1", cassette) as command:
        pass

    assert command.code == 2
    assert "can't be found" in capsys.readouterr().err
    assert Path(cassette).read_bytes() == before
    assert [each.name for each in Path(cassette).parent.iterdir()] == ["talk.txt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replay", "{}/missing.txt"], "it cannot be read"),
        (["replay", "{}/empty.txt"], "it is empty"),
        (["serve", "{}/empty.txt", "--echo"], "--echo with"),
        (["replay", "{}/empty.txt", "--pace", "fast"], "expected 'recorded', a factor"),
        (["record", "127.0.0.1:1", "{}/empty.txt/x"], "it cannot be written"),
        (["record", "127.0.0.1:1", "{}"], "it cannot be written: it is a directory; expected the path of a file"),
        (["replay", "{}"], "it cannot be read: Is a directory; expected a file"),
        pytest.param(["import", "{}", "-o", "{}/x.txt"], "it cannot be read: Is a directory", marks=NEEDS_DPKT),
    ],
)
def test_a_cassette_that_cannot_be_used_is_named(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.txt").touch()

    with running(*(each.format(tmp_path) for each in words)) as command:
        pass

    assert command.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"windsock {words[0]}: error: ")
    assert said in error
