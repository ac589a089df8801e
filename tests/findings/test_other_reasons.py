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


def test_a_failure_beside_traffic_of_other_kinds_is_left_alone(conclude: Conclude) -> None:
    found = conclude(
        REASONS
        + """
    import urllib.request

    @pytest.mark.parametrize("reason", REASONS)
    @pytest.mark.windsock(framing=b"\\r\\n\\r\\n")
    def test_http(tcp_server, reason):
        tcp_server.reply(b"HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nPING", times=3, end="close")
        for _ in range(3):
            answer = urllib.request.urlopen(f"http://127.0.0.1:{tcp_server.port}/", timeout=5).read()
        reason(answer)

    class Full(StreamRequestHandler):
        def handle(self):
            self.wfile.write(self.request.recv(1024)[:4])

    @pytest.mark.parametrize("reason", REASONS)
    @pytest.mark.windsock(handler=Full, allow_unused=True)
    def test_open_connections_and_threads(tcp_server, reason, request):
        clients = [client_of(tcp_server) for _ in range(3)]
        for client in clients:
            client.sendall(b"PING")
            answer = client.recv(100)
            request.addfinalizer(client.close)
        done = threading.Event()
        threading.Thread(target=done.wait, args=(5,), daemon=True).start()
        request.addfinalizer(done.set)
        reason(answer)

    @pytest.mark.parametrize("reason", REASONS)
    def test_faults(udp_server, reason):
        from windsock.faults import Delay, Duplicate

        udp_server.echo()
        udp_server.fault(Delay(0.001), direction="upstream")
        udp_server.fault(Duplicate(1), direction="downstream")
        with datagrams_to(udp_server) as client:
            client.send(b"PING")
            answer = client.recv(100)
            client.recv(100)
        reason(answer)

    @pytest.mark.parametrize("reason", REASONS)
    @pytest.mark.windsock(framing="lines")
    def test_retries(tcp_server, reason):
        tcp_server.on(b"PING").reply(b"", end="reset").then(b"PING", times=None, end="close")
        for _ in range(4):
            with contextlib.suppress(ConnectionError), client_of(tcp_server) as client:
                client.sendall(b"PING\\n")
                answer = client.recv(100)
        reason(answer)
    """
    )

    assert len(found) == 24
    assert {name: notes for name, notes in found.items() if notes} == {}
