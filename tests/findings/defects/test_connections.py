"""Defects of connections: where they go, how often, and who ends them."""

from __future__ import annotations

from tests.findings.defects.conftest import NameCauses

DEFECTS = """
    import os, signal
    import urllib3

    OK = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
    HTTP = pytest.mark.windsock(framing=b"\\r\\n\\r\\n")

    def free_port():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return listener.getsockname()[1]

    def test_wrong_port(tcp_server):
        tcp_server.echo()
        with socket.create_connection(("127.0.0.1", free_port()), timeout=5) as client:
            client.sendall(b"x")

    def test_wrong_port_with_urllib3(tcp_server):
        tcp_server.echo()
        urllib3.PoolManager(retries=False, timeout=5).request("GET", f"http://127.0.0.1:{free_port()}/")

    def test_wrong_path(unix_stream_server):
        unix_stream_server.echo()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(unix_stream_server.path + "x")

    def test_wrong_port_of_datagrams(udp_server):
        udp_server.echo()
        with socket.socket(type=socket.SOCK_DGRAM) as other, socket.socket(type=socket.SOCK_DGRAM) as client:
            other.bind(("127.0.0.1", 0))
            client.settimeout(0.3)
            client.sendto(b"hello", other.getsockname())
            assert client.recv(100) == b"hello"

    def test_no_reconnect_after_a_reset(tcp_server):
        tcp_server.echo()
        tcp_server.fault(Reset(), connections=first(1))
        with client_of(tcp_server) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"

    def test_no_reconnect_after_a_reset_by_rule(tcp_server):
        tcp_server.on(b"hello\\n").reply(b"", end="reset")
        with client_of(tcp_server) as client:
            client.sendall(b"hello\\n")
            assert client.recv(100) == b"hello\\n"

    @HTTP
    def test_the_same_request_for_ever(tcp_server):
        tcp_server.reply(b"HTTP/1.1 503 busy\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n", times=None,
                         end="close")
        pool = urllib3.PoolManager(timeout=5, retries=urllib3.Retry(5, status_forcelist=[503], backoff_factor=0.02))
        assert pool.request("GET", f"http://127.0.0.1:{tcp_server.port}/").status == 200

    @pytest.mark.timeout(2.5)
    def test_retry_for_ever(tcp_server):
        tcp_server.on(b"LOGIN\\n").reply(b"wait\\n", times=None, end="close")
        answer = b""
        while answer != b"ok\\n":
            with client_of(tcp_server) as client:
                client.sendall(b"LOGIN\\n")
                answer = client.recv(100)
            time.sleep(0.02)

    class Once(StreamRequestHandler):
        def handle(self):
            self.wfile.write(self.rfile.readline().upper())

    @pytest.mark.windsock(handler=Once)
    def test_reuse_of_a_closed_connection(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"one\\n")
            assert client.recv(100) == b"ONE\\n"
            client.sendall(b"two\\n")
            assert client.recv(100) == b"TWO\\n"

    @HTTP
    def test_keep_alive_is_not_used(tcp_server):
        tcp_server.reply(OK, times=None)
        for _ in range(3):
            urllib3.PoolManager(timeout=5).request("GET", f"http://127.0.0.1:{tcp_server.port}/")
        assert len(tcp_server.connections) == 1

    @HTTP
    def test_keep_alive_is_turned_off(tcp_server):
        tcp_server.reply(OK, times=None, end="close")
        pool = urllib3.PoolManager(timeout=5, headers={"Connection": "close"})
        for _ in range(3):
            pool.request("GET", f"http://127.0.0.1:{tcp_server.port}/")
        assert len(tcp_server.connections) == 1

    def test_leak(tcp_server):
        tcp_server.echo()
        clients = [client_of(tcp_server) for _ in range(3)]
        for client in clients[:2]:
            client.close()
        tcp_server.connections.wait(3, timeout=0.3)

    def test_leak_by_state(tcp_server):
        tcp_server.echo()
        clients = [client_of(tcp_server) for _ in range(3)]
        for client in clients:
            client.sendall(b"x")
            client.recv(1)
        for client in clients[:2]:
            client.close()
        tcp_server.connections.wait(2)
        assert [each.closed for each in tcp_server.connections if each.closed is None] == []

    @pytest.mark.windsock(framing="lines")
    def test_sent_twice(tcp_server):
        tcp_server.on(b"PAY 5").reply(b"", end="reset").then(b"paid\\n")
        for _ in range(2):
            with contextlib.suppress(ConnectionError), client_of(tcp_server) as client:
                client.sendall(b"PAY 5\\n")
                client.recv(100)
        assert len(tcp_server.requests) == 1

    @pytest.mark.windsock(framing="lines")
    def test_sent_twice_only(tcp_server):
        tcp_server.on(b"PAY 5").reply(b"", end="reset").then(b"paid\\n")
        for _ in range(2):
            with contextlib.suppress(ConnectionError), client_of(tcp_server) as client:
                client.sendall(b"PAY 5\\n")
                client.recv(100)
        tcp_server.requests.only()

    class Fails(StreamRequestHandler):
        def handle(self):
            size = int(self.rfile.readline())
            self.wfile.write(b"x" * size)

    @pytest.mark.windsock(handler=Fails)
    def test_the_handler_raises(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"ten\\n")
            assert client.recv(100) == b"x" * 10

    class Silent(StreamRequestHandler):
        def handle(self):
            if self.rfile.readline() == b"HELLO\\n":
                self.wfile.write(b"hi\\n")

    @pytest.mark.windsock(handler=Silent)
    def test_the_handler_returns_without_a_reply(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"hello\\n")
            assert client.recv(100) == b"hi\\n"

    class Latest(StreamRequestHandler):
        latest = b"none"

        def handle(self):
            for line in self.rfile:
                self.wfile.write(b"re: " + Latest.latest + b"\\n")
                Latest.latest = line.strip()

    @pytest.mark.windsock(handler=Latest)
    def test_the_handler_replies_to_another_request(tcp_server):
        with client_of(tcp_server) as client, client.makefile("rb") as answers:
            client.sendall(b"one\\n")
            answers.readline()
            client.sendall(b"two\\n")
            assert answers.readline() == b"re: two\\n"

    class Backwards(StreamRequestHandler):
        def handle(self):
            lines = [self.rfile.readline() for _ in range(2)]
            for line in reversed(lines):
                self.wfile.write(b"re: " + line)

    @pytest.mark.windsock(handler=Backwards)
    def test_pipelined_replies_in_the_wrong_order(tcp_server):
        with client_of(tcp_server) as client, client.makefile("rb") as answers:
            client.sendall(b"one\\ntwo\\n")
            assert [answers.readline() for _ in range(2)] == [b"re: one\\n", b"re: two\\n"]

    class Killed(StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            os.kill(os.getpid(), signal.SIGKILL)

    @pytest.mark.windsock(handler=Killed)
    def test_a_killed_child(forking_tcp_server):
        with client_of(forking_tcp_server) as client:
            client.sendall(b"hello\\n")
            assert client.recv(100) == b"hello\\n"
    """

CAUSES = {
    "test_wrong_port": "no client connected to tcp_server, which is at 127.0.0.1:PORT; the client tried 127.0.0.1:PORT",
    "test_wrong_port_with_urllib3": (
        "no client connected to tcp_server, which is at 127.0.0.1:PORT; the client tried 127.0.0.1:PORT"
    ),
    "test_wrong_path": "no client connected to unix_stream_server, which is at PATH",
    "test_wrong_port_of_datagrams": "no datagram came to udp_server, which is at 127.0.0.1:PORT",
    "test_no_reconnect_after_a_reset": (
        "tcp_server #0: Reset() reset the connection, and no client connected again after that"
    ),
    "test_no_reconnect_after_a_reset_by_rule": (
        "tcp_server #0: the server reset the connection, and no client connected again after that"
    ),
    "test_the_same_request_for_ever": (
        "tcp_server: the client sent b'GET / HTTP/1.1\\r\\nHost: 127.0.0.1:'... N times, and got b'HTTP/1.1 "
        "503 busy\\r\\nContent-Lengt'... each time"
    ),
    "test_retry_for_ever": "tcp_server: the client sent b'LOGIN\\n' N times, and got b'wait\\n' each time",
    "test_reuse_of_a_closed_connection": (
        "tcp_server #0: the handler closed the connection after 1 reply, 4 B, before the client was done with "
        "it: connect again for each request, or handle more than one in handle()"
    ),
    "test_keep_alive_is_not_used": (
        "tcp_server: 3 connections with one request each: the client closed each of them itself, and so used none again"
    ),
    "test_keep_alive_is_turned_off": (
        "tcp_server: 3 connections with one request each: the client asked the server to close each, with "
        "'Connection: close'"
    ),
    "test_leak": "tcp_server: #2 is still open, idle for T s: the client has not closed it",
    "test_leak_by_state": "tcp_server: #2 is still open, idle for T s: the client has not closed it",
    "test_sent_twice": (
        "tcp_server #1: the client sent b'PAY 5\\n' again, although the server had taken it on #0, which ended "
        "without a reply"
    ),
    "test_sent_twice_only": (
        "tcp_server #1: the client sent b'PAY 5\\n' again, although the server had taken it on #0, which ended "
        "without a reply"
    ),
    "test_the_handler_raises": (
        "the tcp_server had an error too: ValueError: invalid literal for int() with base 10: b'ten\\n'"
    ),
    "test_the_handler_returns_without_a_reply": (
        "tcp_server #0: the handler returned without sending anything, 6 B had come"
    ),
    "test_the_handler_replies_to_another_request": (
        "tcp_server: the handler sent b're: one\\n' in reply to b'two\\n': that is about the earlier request b'one'"
    ),
    "test_pipelined_replies_in_the_wrong_order": (
        "tcp_server #0: the handler itself sent the replies in this order, b're: two\\n' before b're: one\\n'"
    ),
    "test_a_killed_child": (
        "forking_tcp_server #0: the process of its handler (PID) was killed, or exited without closing the "
        "connection, when 6 B had come and 0 B were sent"
    ),
}


def test_the_cause_is_named(name_causes: NameCauses) -> None:
    assert name_causes(DEFECTS, CAUSES) == CAUSES
