"""Tests that fail for another reason: nothing is concluded."""

from __future__ import annotations

import pytest

from tests.findings.conftest import Conclude

REASONS = """
    def one_is_not_two(answer):
        assert 1 == 2

    def another_answer(answer):
        assert answer == b"PONG"

    def an_error(answer):
        raise LookupError("broken")

    def a_failure(answer):
        pytest.fail("not like this")

    def not_raised(answer):
        with pytest.raises(ValueError):
            int("1")

    def another_timeout(answer):
        queue.Queue().get(timeout=0.05)

    REASONS = [one_is_not_two, another_answer, an_error, a_failure, not_raised, another_timeout]

    class Echo(BaseRequestHandler):
        def handle(self):
            if isinstance(self.request, tuple):
                self.request[1].sendto(self.request[0], self.client_address)
                return
            while data := self.request.recv(100):
                self.request.sendall(data)

    def exchange(server, context=None):
        if server.options.is_datagram:
            with server.connect() as client:
                client.send(b"PING").expect(b"PING")
            return b"PING"
        with client_of(server) as client:
            if context is not None:
                client = context.wrap_socket(client, server_hostname="localhost")
            with client:
                client.sendall(b"PING")
                return client.recv(100)
    """


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_a_failure_after_a_normal_exchange_is_left_alone(conclude: Conclude, concurrency: str) -> None:
    found = conclude(
        REASONS
        + f"""
    @pytest.mark.parametrize("reason", REASONS)
    @pytest.mark.parametrize("transport", ["tcp", "udp", "unix_stream", "unix_datagram"])
    @pytest.mark.parametrize("handler", [None, Echo])
    def test_it(serve, transport, handler, reason):
        server = serve(handler, transport=transport, concurrency={concurrency!r})
        if handler is None:
            server.echo()
        reason(exchange(server))

    @pytest.mark.parametrize("reason", REASONS)
    def test_tls(serve, reason):
        server = serve(Echo, tls=True, concurrency={concurrency!r})
        reason(exchange(server, server.client_context()))
    """
    )

    assert len(found) == 54
    assert {name: notes for name, notes in found.items() if notes} == {}


def test_a_failure_beside_rules_framing_faults_and_proxies_is_left_alone(conclude: Conclude) -> None:
    found = conclude(
        REASONS
        + """
    @pytest.mark.parametrize("reason", REASONS)
    @pytest.mark.windsock(framing="lines")
    def test_rules(tcp_server, reason):
        tcp_server.on(b"PING").reply(b"PONG?").then(b"PANG", times=None)
        tcp_server.on(b"QUIT").reply(b"BYE").optional()
        with client_of(tcp_server) as client:
            client.sendall(b"PING\\n")
            reason(client.recv(100))

    @pytest.mark.parametrize("reason", REASONS)
    def test_proxy(tcp_server, fault_proxy, reason):
        from windsock.faults import Delay

        tcp_server.echo()
        proxy = fault_proxy(tcp_server.address)
        with proxy.fault(Delay(0.001)):
            answer = exchange_with(proxy)
        reason(answer)

    def exchange_with(server):
        with client_of(server) as client:
            client.sendall(b"PING")
            return client.recv(100)

    @pytest.mark.parametrize("reason", REASONS)
    def test_script(tcp_server, reason):
        tcp_server.play(Script().expect(b"PING").send(b"PING").close())
        with tcp_server.connect() as client:
            client.send(b"PING").expect(b"PING").expect_eof()
        reason(b"PING")
    """
    )

    assert len(found) == 18
    assert {name: notes for name, notes in found.items() if notes} == {}
