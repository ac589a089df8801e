"""Scripts that are played in the background, and clients that nobody closes."""

from __future__ import annotations

import gc
import socket
import threading

import pytest

import windsock
from tests.clients.helpers import KINDS, each, serving
from tests.support.handlers import UpperLines
from tests.support.waiting import wait_until
from windsock import Script, ScriptMismatch, UsageError

PING = Script().send(b"ping").expect(b"ping")


@each(KINDS)
def test_a_script_in_the_background_is_joined(kind: str) -> None:
    with serving(kind).echo() as server, server.connect() as client:
        playing = client.play_in_background(PING)
        playing.join()

        assert playing.is_done
        assert playing.failure is None
        client.send(b"after").expect(b"after")


def test_two_clients_at_once() -> None:
    dribble = Script().send(b"slow\n", every=0.03).expect(b"SLOW\n")
    with (
        windsock.serving(UpperLines, concurrency="selecting") as server,
        server.connect() as slow,
        server.connect() as fast,
    ):
        dribbling = slow.play_in_background(dribble)
        fast.send(b"fast\n").expect(b"FAST\n")
        assert dribbling.is_playing
        dribbling.join()


def test_join_raises_what_went_wrong() -> None:
    with windsock.serving() as server:
        server.on(b"ping").reply(b"no")
        with server.connect() as client:
            playing = client.play_in_background(PING)

            with pytest.raises(ScriptMismatch, match=r"step 2, expect\(b'ping'\)"):
                playing.join()


def test_join_waits_no_longer_than_it_is_told() -> None:
    with windsock.serving() as server, server.connect() as client:
        playing = client.play_in_background(Script().pause(30), strict=False)

        with pytest.raises(windsock.WaitTimeout, match=r"join\(\): the script is still at step 1 of 1, pause\(30\)"):
            playing.join(timeout=0.05)


def test_while_a_script_is_played_nobody_else_takes_steps() -> None:
    with windsock.serving() as server, server.connect() as client:
        client.play_in_background(Script().pause(30), strict=False)

        for step in (lambda: client.send(b"x"), lambda: client.play(PING), lambda: client.play_in_background(PING)):
            with pytest.raises(UsageError, match="in the background; join"):
                step()


@pytest.mark.parametrize("step", ["close", "reset"])
@pytest.mark.parametrize("script", [Script().pause(30), Script().expect(b"x", timeout=30), Script().stall().pause(30)])
def test_a_close_and_a_reset_end_what_is_played(step: str, script: Script) -> None:
    with windsock.serving() as server, server.connect() as client:
        playing = client.play_in_background(script)

        getattr(client, step)()

        assert not playing.is_playing
        assert playing.failure is None
        assert client.outcome == "closed"


def test_a_failure_that_nobody_has_joined_is_raised_by_the_client() -> None:
    with windsock.serving() as server:
        server.on(b"ping").reply(b"no")
        caught = pytest.raises(ScriptMismatch)
        with caught, server.connect() as client:
            wait_until_over(client.play_in_background(PING))


def test_a_failure_that_nobody_has_joined_is_raised_by_the_server() -> None:
    server = windsock.serving()
    server.on(b"ping").reply(b"no")
    wait_until_over(server.connect().play_in_background(PING))

    with pytest.raises(BaseExceptionGroup, match="scripts in the background failed") as caught:
        server.finish()

    assert [type(each) for each in caught.value.exceptions] == [ScriptMismatch]


def test_a_failure_beside_another_error_is_a_note_on_it() -> None:
    caught = pytest.raises(ZeroDivisionError)
    with windsock.serving() as server:
        server.on(b"ping").reply(b"no")
        with caught, server.connect() as client:
            wait_until_over(client.play_in_background(PING))
            raise ZeroDivisionError

    assert any("in the background failed too: step 2" in note for note in caught.excinfo.value.__notes__)


LEFT = Script().send(b"ping").expect(b"pong", timeout=30)
WHERE = r"step 2 of 2, expect\(b'pong', timeout=30\): the script in the background was not over"


@each(KINDS)
def test_a_script_that_is_left_in_the_middle_fails_the_test_and_says_where(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("windsock.clients.background.GRACE", 0.05)
    caught = pytest.raises(windsock.ScriptUnfinished, match=WHERE)
    with serving(kind) as server, caught, server.connect() as client:
        client.play_in_background(LEFT)


def test_a_script_that_is_left_in_the_middle_fails_the_server_that_closes_its_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("windsock.clients.background.GRACE", 0.05)
    server = windsock.serving()
    server.connect().play_in_background(LEFT)

    with pytest.raises(BaseExceptionGroup, match="scripts in the background failed") as caught:
        server.finish()

    assert [type(each) for each in caught.value.exceptions] == [windsock.ScriptUnfinished]


def test_a_script_that_is_about_to_end_may_do_so() -> None:
    with windsock.serving() as server:
        server.on(b"ping").reply(b"pong", delay=0.1)
        with server.connect() as client:
            playing = client.play_in_background(Script().send(b"ping").expect(b"pong"))

    assert playing.is_done


def test_an_endless_loop_between_two_rounds_is_left_in_peace() -> None:
    has_answered = threading.Event()

    def handler(request: socket.socket, client_address: object, server: object) -> None:
        request.sendall(b"beat")
        assert request.recv(2) == b"ok"
        has_answered.set()
        request.recv(1)

    with windsock.serving(handler) as server, server.connect() as client:
        client.play_in_background(Script().loop(Script().expect(b"beat").send(b"ok")))
        assert has_answered.wait(10)


def test_a_failure_that_does_not_matter_is_passed_over() -> None:
    with windsock.serving() as server:
        server.on(b"ping").reply(b"no")
        with server.connect() as client:
            wait_until_over(client.play_in_background(PING, strict=False))


def test_a_failure_is_raised_once() -> None:
    with windsock.serving() as server:
        server.on(b"ping").reply(b"no")
        with server.connect() as client:
            playing = client.play_in_background(PING)
            with pytest.raises(ScriptMismatch):
                playing.join()


def wait_until_over(playing: windsock.Background) -> None:
    deadline = threading.Event()
    while playing.is_playing:
        deadline.wait(0.005)


# --- what nobody closes


@each(["tcp", "unix_stream", "udp", "unix_datagram", "tls"])
def test_a_client_that_nobody_has_any_more_leaves_nothing(kind: str) -> None:
    with serving(kind).echo() as server:
        server.connect().send(b"hello").expect(b"hello")
        gc.collect()

        client = server.connect()
        ring = [client]
        ring.append(ring)  # type: ignore[arg-type]  # a ring, on purpose
        del client, ring
        gc.collect()


@each(["tcp", "unix_stream", "udp", "unix_datagram", "tls"])
def test_a_client_that_a_failing_test_has_abandoned_is_closed_with_its_server(kind: str) -> None:
    kept = []

    def failing() -> None:
        with serving(kind) as server:
            kept.append(server.connect())
            kept[0].play_in_background(Script().pause(30), strict=False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()

    assert kept[0].outcome == "closed"
    assert kept[0].socket.fileno() == -1


def test_a_background_that_is_abandoned_ends_with_the_server() -> None:
    before = threading.active_count()
    with windsock.serving(UpperLines) as server:
        server.connect().play_in_background(Script().expect(b"x", timeout=30), strict=False)
        gc.collect()

    assert threading.active_count() <= before


def test_a_path_that_a_datagram_client_is_bound_to_is_removed(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("c", numbered=True) / "s"
    with windsock.serving(transport="unix_datagram").echo() as server, server.connect(source=path) as client:
        client.send(b"hello").expect(b"hello")
        assert client.address == str(path)
        assert path.exists()

    assert not path.exists()


def test_an_anonymous_datagram_client_gets_no_answer() -> None:
    with windsock.serving(transport="unix_datagram") as server:
        with server.connect(anonymous=True) as client:
            client.send(b"hello").expect_silence(0.05)

            assert client.address is None
        server.requests.wait(1)
        assert server.requests.only().data == b"hello"


def test_a_source_address_is_what_the_server_sees() -> None:
    with windsock.serving() as server:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with server.connect(source=("127.0.0.1", port)) as client:
            assert client.address == ("127.0.0.1", port)
            client.send(b"x").half_close().expect_eof()

        assert server.connections[0].peer[:2] == ("127.0.0.1", port)


def test_a_failure_in_the_background_shows_no_frames_of_its_thread() -> None:
    with windsock.serving() as server:
        server.on(b"x").reply(b"no")
        client = server.connect()
        playing = client.play_in_background(Script().send(b"x").expect(b"yes"))
        wait_until(lambda: playing.failure, "the failure")

        assert playing.failure is not None
        assert playing.failure.__traceback__ is None
        with pytest.raises(ScriptMismatch):
            client.finish()
