"""Two ends that wait for each other, and clients that wait for more than there is."""

from __future__ import annotations

import pytest

from tests.findings.conftest import Conclude
from tests.plugin.conftest import Run

HANDLERS = """
    class Lines(StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.upper())

    class Whole(StreamRequestHandler):
        def handle(self):
            self.wfile.write(self.rfile.read().upper())

    kept = []

    def ask(server, message):
        client = client_of(server, 0.2)
        kept.append(client)
        client.sendall(message)
        return client.recv(100)

    @pytest.fixture(autouse=True)
    def close():
        yield
        while kept:
            kept.pop().close()
    """


@pytest.mark.parametrize("concurrency", ["sync", "threading", "selecting", "trio"])
def test_both_lines_are_named(conclude: Conclude, concurrency: str) -> None:
    found = conclude(
        HANDLERS
        + f"""
    @pytest.mark.windsock(handler=Lines)
    def test_lines({concurrency}_tcp_server):
        ask({concurrency}_tcp_server, b"PING")

    @pytest.mark.windsock(handler=Whole)
    def test_whole({concurrency}_unix_stream_server):
        ask({concurrency}_unix_stream_server, b"PING")
    """
    )

    name = "test_both_lines_are_named.py:LINE"
    assert found["test_lines"] == [
        f"{concurrency}_tcp_server #0: both ends waited for each other: the client at {name} for a reply, "
        f"the handler at {name} (for line in self.rfile:) for more than the 4 B that had come"
    ]
    assert found["test_whole"] == [
        f"{concurrency}_unix_stream_server #0: both ends waited for each other: the client at {name} for a reply, "
        f"the handler at {name} (self.wfile.write(self.rfile.read().upper())) for more than the 4 B that had come: "
        "half-close after the request, with shutdown(socket.SHUT_WR)"
    ]


def test_an_async_handler_and_a_client_that_has_left_are_found_too(conclude: Conclude) -> None:
    found = conclude(
        """
    class Task(StreamRequestHandler):
        async def handle(self):
            data = b""
            while not data.endswith(b"\\n"):
                more = await self.stream.receive_some(100)
                if not more:
                    return
                data += more

    @pytest.mark.windsock(handler=Task)
    @pytest.mark.parametrize("leaves", [False, True])
    def test_it(trio_tcp_server, leaves):
        client = client_of(trio_tcp_server, 0.2)
        with contextlib.ExitStack() as at_the_end:
            if leaves:
                at_the_end.callback(trio_tcp_server.connections.wait, 1)
                at_the_end.enter_context(client)
            client.sendall(b"PING")
            client.recv(100)
    """
    )

    name = "test_an_async_handler_and_a_client_that_has_left_are_found_too.py:LINE"
    both = f"trio_tcp_server #0: both ends waited for each other: the client at {name} for a reply, the handler"
    assert found["test_it[True]"] == [f"{both} for more than the 4 B that had come"]
    assert found["test_it[False]"] == [
        f"{both} at {name} (more = await self.stream.receive_some(100)) for more than the 4 B that had come"
    ]


def test_the_other_ways_to_wait_are_named(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(framing="eof")
    def test_eof(tcp_server):
        tcp_server.reply(b"ok")
        with client_of(tcp_server, 0.2) as client:
            client.sendall(b"PING")
            client.recv(100)

    def test_more(tcp_server):
        tcp_server.on(b"PING").reply(b"PONG")
        with client_of(tcp_server, 0.2) as client:
            client.sendall(b"PING")
            while client.recv(100):
                pass

    def test_silence(tcp_server):
        tcp_server.on(b"PING").reply(b"PONG")
        with client_of(tcp_server, 0.2) as client:
            client.recv(100)
    """
    )

    name = "test_the_other_ways_to_wait_are_named.py:LINE"
    assert found == {
        "test_eof": [
            f"tcp_server #0: both ends waited for each other: the client at {name} for the reply, the server for the "
            "end of the client's stream: half-close after the request, with shutdown(socket.SHUT_WR)"
        ],
        "test_more": [
            f"tcp_server #0: the client waited at {name} for more than the 4 B that were sent, or for the end of the "
            "stream, and the server kept the connection open for another request"
        ],
        "test_silence": [
            f"tcp_server #0: neither end sent anything: the client waited at {name}, "
            "the server for the client's first bytes: greet(...) has the fake speak first"
        ],
    }


def test_a_client_without_a_timeout_is_named(run_apart: Run) -> None:
    result = run_apart(
        """
        import socket

        def test_it(tcp_server):
            tcp_server.on(b"PING").reply(b"PONG")
            client = socket.create_connection(tcp_server.address)
            with client:
                client.sendall(b"PING")
                while client.recv(100):
                    pass
        """,
        "--timeout=1",
        "--timeout-method=signal",
    )

    result.assert_outcomes(failed=1)
    name = "test_a_client_without_a_timeout_is_named.py:8"
    result.stdout.fnmatch_lines(
        [
            "windsock: the test hung: *",
            f"  the test stood at {name} in test_it: while client.recv(100):",
            f"  tcp_server [#]0: the client waited at {name} for more than the 4 B that were sent, *",
            f"  the client waited at {name} on a socket without a timeout: *",
        ]
    )


def test_the_timeout_of_a_handler_is_not_the_clients(conclude: Conclude) -> None:
    found = conclude(
        """
    class Impatient(StreamRequestHandler):
        timeout = 0.1

        def handle(self):
            self.rfile.readline()

    @pytest.mark.windsock(handler=Impatient)
    def test_it(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"PING")
            assert client.recv(100) == b""
    """
    )

    assert found == {"test_it": []}


def test_timeouts_of_something_else_are_not_explained(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(tcp_server):
        tcp_server.echo()
        with client_of(tcp_server) as client:
            client.sendall(b"PING")
            assert client.recv(100) == b"PING"
        tcp_server.connections.wait(1)
        with socket.create_server(("127.0.0.1", 0)) as other, socket.create_connection(other.getsockname(), 0.3) as own:
            own.recv(100)
    """
    )

    assert found == {"test_it": []}
