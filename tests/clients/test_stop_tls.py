"""The step that ends TLS, for clients of every kind and for fakes."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

import windsock
from tests.clients.helpers import each, serving
from tests.fakes.helpers import failures_of
from tests.support.waiting import DEADLINE
from windsock import Ending, Script, ScriptMismatch, ScriptTimeout, UsageError
from windsock.servers import StreamRequestHandler

KINDS = {
    f"{transport}-{concurrency}": {"transport": transport, "concurrency": concurrency}
    for transport in ("tcp", "unix_stream")
    for concurrency in ("sync", "threading", "forking", "selecting", "trio")
}
on_every_kind = pytest.mark.parametrize("kind", KINDS)
on_every_client = pytest.mark.parametrize("client", ["blocking", "background", "trio", "crowd"])

CROWD = 3
SERVER = Script().expect(b"CCC\n").send(b"OK\n").stop_tls().expect(b"NOOP\n").send(b"clear\n").expect_eof()
CLIENT = Script().send(b"CCC\n").expect(b"OK\n").stop_tls().send(b"NOOP\n").expect(b"clear\n").half_close().expect_eof()


def play(server: windsock.RunningServer, client: str, script: Script, **options: Any) -> str:
    """Have a client of some kind play a script; return its outcome."""
    if client == "crowd":
        summary = server.crowd(CROWD, script, **options)
        (outcome,) = summary.outcomes
        return outcome
    if client == "trio":
        return in_task(server, script, **options)
    with server.connect(**options) as peer:
        if client == "background":
            peer.play_in_background(script).join()
        else:
            peer.play(script)
        return peer.outcome


def in_task(server: windsock.RunningServer, script: Script, **options: Any) -> str:
    trio = pytest.importorskip("trio")

    async def main() -> str:
        async with server.connect_trio(**options) as client:
            await client.play(script)
            return str(client.outcome)

    found: str = trio.run(main)
    return found


@on_every_kind
@on_every_client
def test_both_ends_go_on_in_the_clear(kind: str, client: str) -> None:
    with windsock.serving(tls=True, **KINDS[kind]) as server:  # type: ignore[arg-type]  # two words
        server.play_all(SERVER)

        assert play(server, client, CLIENT) == "eof"
        server.connections.wait(CROWD if client == "crowd" else 1)

    connection = server.connections[0]
    assert connection.upstream == b"CCC\nNOOP\n"
    assert connection.downstream == b"OK\nclear\n"
    assert connection.ending == Ending.CLIENT_EOF
    assert "#0 TLS ended, unencrypted from here" in [line.partition(" ")[2] for line in server.transcript()]


@on_every_client
def test_tls_begins_anew_after_it_has_ended(client: str) -> None:
    with windsock.serving(tls=True) as server:
        server.play_all(SERVER_TWICE)

        assert play(server, client, CLIENT_TWICE) == "closed"


SERVER_TWICE = Script().stop_tls().expect(b"STARTTLS\n").send(b"go\n").start_tls().expect(b"secret").expect_eof()
CLIENT_TWICE = Script().stop_tls().send(b"STARTTLS\n").expect(b"go\n").start_tls().send(b"secret").close()


def test_a_fake_with_rules_ends_tls() -> None:
    with windsock.serving(tls=True, framing="lines") as server:
        server.on(b"CCC").play(Script().send(b"OK\n").stop_tls())
        server.on(b"NOOP").reply(b"clear\n")

        play(server, "blocking", CLIENT)
        server.connections.wait(1)

    assert [each.data for each in server.requests] == [b"CCC\n", b"NOOP\n"]


def test_a_fake_that_pauses_has_seen_the_end_of_tls_before_the_step() -> None:
    script = Script().expect(b"CCC\n").send(b"OK\n").pause(0.1).stop_tls().expect(b"NOOP\n")
    with windsock.serving(tls=True) as server:
        server.play(script)
        with socket.create_connection(server.address, DEADLINE) as raw:
            client = server.client_context().wrap_socket(raw, server_hostname="localhost")
            client.sendall(b"CCC\n")
            assert client.recv(3) == b"OK\n"
            client.unwrap().sendall(b"NOOP\n")
            client.close()
        server.connections.wait(1)

    assert server.connections[0].upstream == b"CCC\nNOOP\n"


@on_every_client
def test_a_peer_that_does_not_end_tls_is_waited_for_in_vain(client: str) -> None:
    class Silent(StreamRequestHandler):
        def handle(self) -> None:
            self.server.stop_event.wait(DEADLINE)

    import threading

    with windsock.serving(Silent, tls=True) as server:
        server.server.stop_event = threading.Event()
        with pytest.raises((ScriptTimeout, ExceptionGroup)) as caught:
            play(server, client, Script().stop_tls(timeout=0.2))
        server.server.stop_event.set()

    error: Any = caught.value
    error = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    assert str(error).startswith("step 1, stop_tls(timeout=0.2): the other end did not end TLS within 0.2 s")


@on_every_client
def test_a_peer_that_resets_instead_is_a_mismatch(client: str) -> None:
    with windsock.serving(tls=True) as server:
        server.play_all(Script().expect(b"CCC\n").reset())
        with pytest.raises((ScriptMismatch, ExceptionGroup)) as caught:
            play(server, client, Script().send(b"CCC\n").pause(0.05).stop_tls())

    error: Any = caught.value
    error = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    assert str(error).startswith("step 3, stop_tls(): TLS did not end normally: reset")


@on_every_client
def test_in_the_clear_there_is_no_tls_to_end(client: str) -> None:
    with windsock.serving() as server, pytest.raises(UsageError) as caught:
        play(server, client, Script().stop_tls())

    assert str(caught.value) == "stop_tls(): this end is not encrypted; start_tls() comes first"


def test_what_cannot_work_is_said_before_anything_is_sent() -> None:
    with windsock.serving() as server, pytest.raises(UsageError) as caught:
        server.play(Script().stop_tls())
    assert str(caught.value) == "step 1, stop_tls(): this server does not speak TLS; pass tls='starttls'"

    with windsock.serving(transport="udp") as server, pytest.raises(UsageError, match="stop_tls"):
        server.play(Script().stop_tls())

    with windsock.serving(tls=True) as server, server.connect() as client, pytest.raises(UsageError) as caught:
        client.play(Script().half_close().stop_tls())
    assert str(caught.value) == ("step 2, stop_tls(): nothing can be sent after half_close(); send it before")


def test_a_fake_in_the_clear_has_no_tls_to_end() -> None:
    server = windsock.serving(tls="starttls")
    server.play(Script().stop_tls())
    with server.connect() as client:
        client.expect_eof()

    assert any("stop_tls(): this end is not encrypted; start_tls() comes first" in each for each in failures_of(server))


def test_a_recorded_end_of_tls_is_played_again() -> None:
    with windsock.serving(tls=True) as server:
        server.play(SERVER)
        play(server, "blocking", CLIENT)
        server.connections.wait(1)

    as_server, as_client = (server.connections[0].as_script(side) for side in ("server", "client"))
    assert (
        as_client
        == (Script().send(b"CCC\n").expect(b"OK\n").stop_tls().send(b"NOOP\n").expect(b"clear\n").half_close())
        .expect_eof()
        .close()
    )
    with windsock.serving(tls=True) as again:
        again.play(as_server)
        play(again, "blocking", as_client)


@each(["tls", "selecting_tls", "forking_tls"])
def test_urgent_data_goes_after_the_end_of_tls(kind: str) -> None:
    with serving(kind) as server:
        server.play(Script().stop_tls().urgent(b"!").expect(b"x"))
        with server.connect() as client:
            client.stop_tls().send(b"x")
            assert client.expect_eof(discard=True).outcome == "eof"


def test_the_standard_library_s_client_and_a_fake() -> None:
    with windsock.serving(tls=True) as server:
        server.play(SERVER)
        with socket.create_connection(server.address, DEADLINE) as raw:
            client: Any = server.client_context().wrap_socket(raw, server_hostname="localhost")
            assert isinstance(client, ssl.SSLSocket)
            client.sendall(b"CCC\n")
            assert client.recv(3) == b"OK\n"
            client = client.unwrap()
            client.sendall(b"NOOP\n")
            assert client.recv(6) == b"clear\n"
            client.close()
        server.connections.wait(1)
