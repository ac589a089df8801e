"""Every way for a client to be slow or to fail, and what real servers record of it."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading

import pytest

import windsock
from tests.clients.helpers import PLAIN_TCP, STREAMS, TCP, TLS, Flood, Prefixed, each, serving
from tests.support.handlers import UpperLines
from tests.support.processes import ended_well, forked
from tests.support.servers import wait_for_end
from tests.support.waiting import HOUR, ends_in_time, wait_until
from windsock import Script, ScriptMismatch, UsageError
from windsock.servers import BaseRequestHandler, StreamRequestHandler

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="connect(2) to AF_UNSPEC resets on Linux only")


def still_serves(server: windsock.RunningServer) -> None:
    with server.connect() as client:
        client.send(b"next\n").expect(b"NEXT\n")


# --- slow


@each(STREAMS)
def test_a_pause_in_the_middle_of_a_message(kind: str) -> None:
    with serving(kind, UpperLines) as server:
        with server.connect() as slow:
            slow.send(b"hel").expect_silence(0.05).send(b"lo\n").expect(b"HELLO\n")
        wait_for_end(server)

        assert server.connections[0].upstream == b"hello\n"


def downstream(server: windsock.RunningServer) -> bytes:
    return b"".join(each.downstream for each in server.connections)


@each(["tcp", "unix_stream", "selecting", "trio", "forking"])
def test_a_client_that_never_reads_holds_the_server_up(kind: str) -> None:
    with serving(kind, Flood, strict=False) as server:
        with server.connect(receive_buffer=2048) as stalled:
            stalled.stall()
            wait_until(lambda: len(downstream(server)) > 0)
            stalled.pause(0.1).reset()
        server.stop()

        assert 0 < len(downstream(server)) < 8_000_000


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets")
def test_an_orderly_end_of_a_unix_socket_is_known_to_be_no_reset() -> None:
    with serving("unix_stream", strict=False) as server:
        server.play(Script().reset())
        server.on(b"a").reply(b"b", end="reset")
        words = r"closed \(EOF\); on a Unix socket that is a reset only if it left data unread \(unix\(7\)\)\n"
        for step in (Script(), Script().send(b"a").expect(b"b")):
            with server.connect(timeout=HOUR) as client, ends_in_time(), pytest.raises(ScriptMismatch, match=words):
                client.play(step.expect_reset())


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets")
@pytest.mark.parametrize("half", [Script(), Script().half_close().pause(0.1)])
def test_a_unix_socket_that_leaves_something_unread_is_reset_be_it_half_closed_before(half: Script) -> None:
    sent = threading.Event()
    with serving("unix_stream", strict=False) as server:
        server.play(Script().stall().wait_for(sent) + half + Script().close())
        with server.connect() as client:
            client.send(b"unread")
            sent.set()
            client.expect_reset()


class Much(StreamRequestHandler):
    """Sends as many bytes as each line says."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(bytes(int(line)))


@each(STREAMS)
@pytest.mark.parametrize(
    "slow",
    [
        Script().stall().send(b"500000\n").pause(0.05).resume(),
        Script().read_rate(1e4).send(b"500000\n").expect(100).read_rate(None),
    ],
)
def test_a_client_that_was_slow_reads_at_full_speed_again(kind: str, slow: Script) -> None:
    with serving(kind, Much) as server, server.connect() as client:
        client.play(slow)

        with ends_in_time():  # at the rate of before it would take longer than that
            client.expect(500_000 - client.end.inbox.taken, timeout=HOUR)


@each(["selecting", "selecting_tls"])
def test_a_silent_client_keeps_nobody_waiting(kind: str) -> None:
    with serving(kind, UpperLines) as server, server.connect(handshake=False):
        still_serves(server)


@each(TLS)
def test_a_client_that_is_silent_in_the_middle_of_its_handshake(kind: str) -> None:
    with serving(kind, UpperLines) as server:
        with server.connect(handshake=False) as silent:
            silent.half_handshake().expect_silence(0.05)
            still_serves(server)
        wait_for_end(server)

        assert server.connections[0].ending == "handshake failed"
        assert server.connections[0].tls.failure == "EOF"  # type: ignore[union-attr]  # there was one


def test_half_a_handshake_is_for_clients_that_have_had_none() -> None:
    with windsock.serving(tls=True) as server, server.connect() as client:
        refused = pytest.raises(UsageError, match="speaks TLS already")
        with refused:
            client.half_handshake()


# --- ends


@each(STREAMS)
def test_half_close_and_vanish(kind: str) -> None:
    with serving(kind, UpperLines) as server:
        server.connect().send(b"one\n").half_close().close()
        still_serves(server)
        wait_for_end(server)

        assert server.connections[0].upstream == b"one\n"
        assert server.connections[0].ending in ("client EOF", "client reset")


@each(["tcp", "ipv6", "unix_stream", "selecting", "forking", "trio"])
def test_a_close_with_unread_data_is_a_reset(kind: str) -> None:
    with serving(kind, UpperLines) as server:
        with server.connect() as client:
            client.send(b"one\n")
            client.socket.setblocking(True)
            client.socket.recv(1, socket.MSG_PEEK)
            client.close()
        still_serves(server)
        wait_for_end(server)

        assert server.connections[0].ending == "client reset"


@on_linux
@each(TCP)
def test_a_reset_is_seen_at_once(kind: str) -> None:
    with serving(kind, UpperLines) as server:
        with server.connect() as client:
            client.send(b"one\n").expect(b"ONE\n").reset()
            assert client.outcome == "closed"
        still_serves(server)
        wait_for_end(server)

        assert server.connections[0].ending == "client reset"


def test_a_unix_socket_is_reset_if_something_is_unread_and_ends_in_order_if_not() -> None:
    with serving("unix_stream", UpperLines) as server:
        unread = server.connect().send(b"one\n")
        unread.socket.setblocking(True)
        unread.socket.recv(1, socket.MSG_PEEK)
        unread.reset()
        server.connect().send(b"one\n").expect(b"ONE\n").reset()
        wait_for_end(server)
        wait_for_end(server, 1)

        assert [each.ending for each in server.connections] == ["client reset", "client EOF"]


@on_linux
def test_a_reset_does_not_wait_for_a_thread_that_reads() -> None:
    with windsock.serving(UpperLines) as server, server.connect() as client:
        client.send(b"one\n").expect(b"ONE\n")
        client.socket.setblocking(True)
        reading = threading.Event()
        seen: list[object] = []

        def read() -> None:
            reading.set()
            try:
                seen.append(client.socket.recv(1))
            except OSError as error:
                seen.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        reading.wait(5)
        client.reset()
        thread.join(5)
        wait_for_end(server)

        assert not thread.is_alive()
        assert server.connections[0].ending == "client reset"


@on_linux
@pytest.mark.parametrize(
    ("transport", "ending"), [("tcp", "client reset"), ("unix_stream", "client EOF")], ids=["tcp", "unix_stream"]
)
def test_a_reset_does_not_wait_for_a_child_that_has_it_open(transport: str, ending: str) -> None:
    with (
        windsock.serving(UpperLines, transport=transport, concurrency="selecting") as server,
        server.connect() as client,
    ):
        client.send(b"one\n").expect(b"ONE\n")
        reader, writer = os.pipe()

        def keep_it_open() -> None:
            os.close(writer)
            os.read(reader, 1)  # until the parent is done

        child = forked(keep_it_open)
        os.close(reader)
        try:
            client.reset()
            still_serves(server)
            wait_for_end(server)

            assert server.connections[0].ending == ending
        finally:
            os.close(writer)
            assert ended_well(child)


@on_linux
@each(PLAIN_TCP)
def test_a_reset_after_flushing_loses_nothing(kind: str) -> None:
    class Counts(BaseRequestHandler):
        def handle(self) -> None:
            try:
                while self.request.recv(65536):
                    pass
            except OSError:
                pass

    with serving(kind, Counts) as server:
        server.connect().send(bytes(500_000)).reset(flush=True)
        wait_for_end(server)

        assert server.connections[0].ending == "client reset"


def test_a_flush_that_nobody_takes_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with windsock.scripted_client(listener.getsockname(), timeout=0.2) as client:
            client.end.try_to_send(bytes(4_000_000))

            with pytest.raises(windsock.ScriptTimeout, match=r"reset\(flush=True\): \d+ bytes that were sent"):
                client.reset(flush=True)


@each(STREAMS)
def test_a_client_that_leaves_before_it_is_accepted(kind: str) -> None:
    with serving(kind, UpperLines) as server:
        for _ in range(3):
            server.connect(handshake=False).close()
            server.connect(handshake=False).reset()
        still_serves(server)


# --- nonsense


@each(["tls", "selecting_tls", "forking_tls"])
def test_plaintext_to_a_server_with_tls(kind: str) -> None:
    with serving(kind, UpperLines) as server:
        with server.connect(tls=False) as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n").expect_eof(discard=True)
            assert client.outcome == "eof"
        wait_for_end(server)

        assert server.connections[0].tls.failure == "plaintext"  # type: ignore[union-attr]  # there was one


@each(TLS)
def test_tls_that_is_cut_without_a_close_notify(kind: str) -> None:
    with serving(kind, UpperLines) as server:
        server.connect().send(b"one\n").expect(b"ONE\n").close_without_notify()
        server.connect().send(b"one\n").expect(b"ONE\n").close()
        wait_for_end(server)
        wait_for_end(server, 1)

        assert [each.is_tls_truncated for each in server.connections] == [True, False]


def test_only_tls_can_be_cut() -> None:
    with windsock.serving() as server, server.connect() as client, pytest.raises(UsageError, match="has no TLS"):
        client.close_without_notify()


@pytest.mark.parametrize(
    ("certificate", "outcome"),
    [
        ("missing", "TLS alert: certificate required"),
        (False, "TLS alert: certificate required"),
        ("unknown_authority", "TLS alert: unknown ca"),
        ("expired", "TLS alert: certificate expired"),
    ],
)
@pytest.mark.parametrize("maximum_version", ["TLSv1.2", "TLSv1.3"])
def test_a_wrong_certificate(certificate: bool | str, outcome: str, maximum_version: str) -> None:
    with windsock.serving(UpperLines, tls="mutual", maximum_version=maximum_version) as server:
        with server.connect(certificate=certificate) as client:
            client.expect_reset()

            if maximum_version == "TLSv1.2":
                outcome = outcome.replace("certificate required", "handshake failure")
            assert client.outcome == outcome
        wait_for_end(server)

        assert server.connections[0].ending == "handshake failed"
        assert server.connections[0].tls.failure == "certificate"  # type: ignore[union-attr]  # there was one


@pytest.mark.parametrize(
    ("certificate", "outcome"),
    [("expired", "TLS failed: certificate has expired"), ("self_signed", "TLS failed: self-signed certificate")],
)
def test_a_server_that_the_client_must_refuse(certificate: str, outcome: str) -> None:
    with windsock.serving(UpperLines, tls=True, certificate=certificate) as server:
        with server.connect() as client:
            assert client.outcome == outcome

            with pytest.raises(ScriptMismatch, match="certificate"):
                client.send(b"x").expect(b"X")
        wait_for_end(server)

        assert server.connections[0].tls.failure == "alert"  # type: ignore[union-attr]  # there was one


@each(["tcp", "unix_stream", "selecting", "forking", "trio"])
def test_a_message_that_is_shorter_than_its_prefix_says(kind: str) -> None:
    with serving(kind, Prefixed) as server:
        with server.connect() as client:
            client.send(struct.pack(">H", 5) + b"hello").expect(b"5")
            client.send(struct.pack(">H", 5) + b"hel").half_close().expect(b"3").expect_eof()
        with server.connect() as client:
            client.send(b"\0").half_close().expect_eof()


@each(["tcp", "tls", "forking", "selecting"])
def test_garbage_is_the_same_each_time(kind: str) -> None:
    nonsense = windsock.random_bytes(1000, seed=7)

    with serving(kind) as server:
        with server.connect() as client:
            client.send(nonsense).half_close().expect_eof()
        wait_for_end(server)

        assert server.connections[0].upstream == nonsense == windsock.random_bytes(1000, seed=7)
    assert windsock.random_bytes(1000) != nonsense
    with pytest.raises(UsageError, match="a number of bytes"):
        windsock.random_bytes(-1)


@each(["tcp", "selecting"])
def test_urgent_data(kind: str) -> None:
    with serving(kind, UpperLines) as server, server.connect() as client:
        client.send(b"on").urgent(b"e!").send(b"\n").expect(b"ONE\n")


@each(["tls", "selecting_tls"])
def test_there_is_no_urgent_data_in_tls(kind: str) -> None:
    words = (
        r"^urgent\(b'e!'\): TLS has no urgent data; use send\(\), "
        r"or call urgent\(\) in plaintext, before start_tls\(\)$"
    )
    with serving(kind, UpperLines, strict=False) as server, server.connect() as client:
        with pytest.raises(UsageError, match=words):
            client.urgent(b"e!")
        with pytest.raises(UsageError, match=words):
            server.crowd(1, Script().urgent(b"e!"))

        client.send(b"one\n").expect(b"ONE\n")


def test_garbage_in_the_place_of_a_handshake() -> None:
    with windsock.serving(UpperLines, tls=True) as server:
        with server.connect(handshake=False) as client:
            client.send(b"\x16\x03\x01" + windsock.random_bytes(300)).expect_eof(discard=True)
        wait_for_end(server)

        assert server.connections[0].ending == "handshake failed"


# --- what becomes of the client itself, in one word


class Slams(BaseRequestHandler):
    """Takes one byte of what has come, and closes: a reset for the client."""

    def handle(self) -> None:
        self.request.recv(1)


@each(PLAIN_TCP)
def test_a_send_into_a_reset_connection_raises_nothing(kind: str) -> None:
    with serving(kind, Slams) as server, server.connect() as client:
        client.send(b"hello")
        client.expect_reset()
        for _ in range(3):
            client.send(b"more")

        assert client.outcome == "reset"


@each(PLAIN_TCP)
def test_only_sending_finds_the_same_word(kind: str) -> None:
    with serving(kind, Slams) as server, server.connect() as client:
        for _ in range(200):
            client.send(b"hello").pause(0.005)
            if client.outcome == "reset":  # behind the end of the stream, if that comes first
                break

        assert client.outcome == "reset"
        with pytest.raises(ScriptMismatch, match="reset"):
            client.expect(b"x")


@each(STREAMS)
def test_the_end_of_the_other_side_is_not_a_reset(kind: str) -> None:
    class Leaves(BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"bye")

    with serving(kind, Leaves) as server, server.connect() as client:
        client.expect(b"bye").expect_eof()

        assert client.outcome == "eof"
        with pytest.raises(ScriptMismatch, match="EOF"):
            client.expect(b"x")


@pytest.mark.parametrize(("text", "meant"), [("localhost:80", "('localhost', 80)"), ("[::1]:80", "('::1', 80)")])
def test_a_host_and_a_port_in_one_text_are_the_path_of_a_unix_socket(text: str, meant: str) -> None:
    words = f"; it was taken for the path of a Unix socket: a host and a port are a tuple, {meant}"
    with pytest.raises(windsock.ConnectFailed) as caught:
        windsock.scripted_client(text)
    with pytest.raises(windsock.ConnectFailed) as other:
        windsock.scripted_client("/nowhere/at/all")

    assert str(caught.value).endswith(f": refused (No such file or directory){words}")
    assert str(other.value).endswith(": refused (No such file or directory)")


@each(["tcp", "unix_stream", "udp", "unix_datagram"])
def test_where_nobody_listens(kind: str) -> None:
    with serving(kind) as server:
        address = server.address
        with server.outage():
            if kind == "udp":
                with server.connect() as client:
                    client.send(b"x").pause(0.02).send(b"y")
                    assert client.outcome == "refused"
                return
            with pytest.raises(windsock.ConnectFailed, match="refused") as caught:
                server.connect()

    assert caught.value.outcome == "refused"
    assert caught.value.address == address
    assert caught.value.errno is not None
    assert isinstance(caught.value, windsock.PeerError)


def test_a_datagram_receiver_that_goes_away_and_comes_back() -> None:
    with windsock.serving(transport="udp").echo() as server, server.connect() as client:
        client.send(b"one").expect(b"one")
        with server.outage():
            client.send(b"two").pause(0.02)
            assert client.outcome == "refused"
        client.send(b"three").expect(b"three")


def test_a_stream_client_finds_out_what_kind_of_socket_a_path_is() -> None:
    for transport in ("unix_stream", "unix_datagram"):
        with windsock.serving(transport=transport) as server:
            server.echo()
            with windsock.scripted_client(server.address) as client:
                client.send(b"hello").expect(b"hello")


@pytest.mark.parametrize("address", [None, "", (), ("127.0.0.1",), ("127.0.0.1", 0), ("127.0.0.1", "80"), 80, object()])
def test_what_is_no_address(address: object) -> None:
    with pytest.raises(UsageError, match=r"expected \(host, port\) with a port from 1 to 65535, or the path"):
        windsock.scripted_client(address)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"transport": "sctp"}, "expected one of 'tcp', 'udp'"),
        ({"transport": "unix_stream"}, "does not fit"),
        ({"tls": "yes"}, "expected True, False or an ssl.SSLContext"),
        ({"server_hostname": "x"}, "pass tls=True as well"),
        ({"transport": "udp", "tls": True}, "TLS is for streams"),
        ({"source": 7}, "expected a host"),
        ({"timeout": 0}, "expected seconds"),
        ({"receive_buffer": 0}, "expected bytes, 1 or more"),
    ],
)
def test_options_that_can_not_work(options: dict[str, object], words: str) -> None:
    with windsock.serving() as server, pytest.raises(UsageError, match=words):
        windsock.scripted_client(server.address, **options)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"certificate": "expired"}, "pass tls='mutual' for the server"),
        ({"anonymous": True}, "for Unix datagrams"),
        ({"tls": "yes"}, "expected True, False or an ssl.SSLContext"),
    ],
)
def test_options_that_do_not_fit_the_server(options: dict[str, object], words: str) -> None:
    with windsock.serving() as server, pytest.raises(UsageError, match=words):
        server.connect(**options)  # type: ignore[arg-type]  # on purpose


def test_a_stopped_server_has_no_new_clients() -> None:
    server = windsock.serving()
    server.stop()

    with pytest.raises(UsageError, match="stopped already"):
        server.connect()


def test_a_full_backlog_is_waited_for_and_no_longer() -> None:
    full = pytest.raises(windsock.ConnectFailed, match="backlog")
    with windsock.serving(transport="unix_stream", backlog=1, concurrency="sync") as server:
        clients = [server.connect() for _ in range(3)]
        with full as caught:
            server.connect(timeout=0.1)
        for each in clients:
            each.close()

    assert caught.value.outcome == "timeout"


def test_the_same_script_slows_and_kills() -> None:
    rude = Script().send(b"one\n", pieces=2, every=0.01).expect(b"ONE\n").reset()
    with windsock.serving(UpperLines) as server:
        server.connect().play(rude)
        wait_for_end(server)

        assert server.connections[0].upstream == b"one\n"
