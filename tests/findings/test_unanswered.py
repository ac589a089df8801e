"""A server that has sent nothing in reply."""

from __future__ import annotations

import pytest

from tests.findings.conftest import Conclude


def test_a_fake_that_was_told_no_reply_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.parametrize("data", [b"PING", b""])
    def test_it(unix_stream_server, data):
        with client_of(unix_stream_server, 0.2) as client:
            client.sendall(data)
            client.recv(100)
    """
    )

    remedy = "as it was told no reply: say on(...).reply(...), echo() or greet(...)"
    assert found == {
        "test_it[PING]": [f"unix_stream_server #0: the fake took 4 B and sent nothing, {remedy}"],
        "test_it[]": [f"unix_stream_server #0: the fake sent nothing, {remedy}"],
    }


def test_a_connection_that_a_fake_has_ended_as_idle_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.parametrize("has_rules", [False, True])
    @pytest.mark.windsock(framing="lines")
    def test_it(tcp_server, has_rules):
        tcp_server.idle(0.02)
        if has_rules:
            tcp_server.on(b"PING").reply(b"PONG\\r\\n")
        with client_of(tcp_server) as client:
            assert client.recv(100) == b"220 ready"
    """
    )

    sentence = "tcp_server #0: the fake closed the connection, as no message came for T s: see idle(...)"
    assert found == {"test_it[False]": [sentence], "test_it[True]": [sentence]}


def test_a_connection_that_is_for_the_test_is_not_said_to_be_the_fakes(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(accept=True)
    def test_never_accepted(tcp_server):
        with client_of(tcp_server, 0.2) as client:
            client.sendall(b"PING")
            client.recv(100)

    @pytest.mark.windsock(accept=True, framing="lines")
    def test_rules_are_not_asked(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"PONG")
        with client_of(tcp_server, 0.2) as client:
            client.sendall(b"PING\\n")
            client.recv(100)

    @pytest.mark.windsock(accept=True)
    def test_the_peer_waits_too(tcp_server):
        with client_of(tcp_server, 5), tcp_server.accept() as peer:
            peer.expect(b"PING", timeout=0.1)
    """
    )

    assert found == {"test_never_accepted": [], "test_rules_are_not_asked": [], "test_the_peer_waits_too": []}


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_a_handler_that_returned_in_silence_is_named(conclude: Conclude, concurrency: str) -> None:
    found = conclude(
        f"""
    class Silent(StreamRequestHandler):
        def handle(self):
            self.rfile.readline()

    @pytest.mark.windsock(handler=Silent)
    def test_it({concurrency}_tcp_server):
        with client_of({concurrency}_tcp_server) as client:
            client.sendall(b"PING\\n")
            assert client.recv(100) == b"PONG\\n"

    class Deaf(DatagramRequestHandler):
        pass

    @pytest.mark.windsock(handler=Deaf)
    def test_datagram({concurrency}_udp_server):
        with datagrams_to({concurrency}_udp_server, 0.2) as client:
            client.send(b"PING")
            client.recv(100)
    """
    )

    assert found["test_it"] == [
        f"{concurrency}_tcp_server #0: the handler returned without sending anything, 5 B had come"
    ]


def test_a_datagram_handler_that_sends_nothing_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(handler=lambda *_: None)
    def test_it(udp_server):
        with datagrams_to(udp_server, 0.2) as client:
            client.send(b"PING")
            client.recv(100)
    """
    )

    assert found == {"test_it": ["udp_server #0: the handler sent nothing in reply to the 4 B that came"]}


def test_what_stands_behind_a_proxy_and_stays_silent_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(fault_proxy):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            proxy = fault_proxy(silent.getsockname())
            with client_of(proxy, 0.2) as client:
                client.sendall(b"PING")
                client.recv(100)
    """
    )

    assert found == {"test_it": ["fault_proxy 1 #0: nothing came back for the 4 B that went on to the server"]}


def test_servers_that_have_answered_or_failed_are_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_answered(tcp_server):
        tcp_server.echo()
        with client_of(tcp_server) as client:
            client.sendall(b"PING")
            assert client.recv(100) == b"PONG"

    @pytest.mark.windsock(handler=lambda *_: 1 / 0)
    def test_failed(tcp_server):
        with client_of(tcp_server) as client:
            assert client.recv(100) == b"PONG"

    def test_elsewhere(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"log this")
        tcp_server.connections.wait(1)
        queue.Queue().get(timeout=0.1)
    """
    )

    assert found == {"test_answered": [], "test_failed": [], "test_elsewhere": []}
