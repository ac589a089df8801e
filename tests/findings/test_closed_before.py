"""A connection that the server had closed before the client was done with it."""

from __future__ import annotations

from tests.findings.conftest import Conclude


def test_a_handler_that_answers_once_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    class Once(StreamRequestHandler):
        def handle(self):
            self.wfile.write(self.rfile.readline().upper())

    @pytest.mark.windsock(handler=Once)
    def test_handler(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"one\\n")
            assert client.recv(100) == b"ONE\\n"
            client.sendall(b"two\\n")
            assert client.recv(100) == b"TWO\\n"

    @pytest.mark.windsock(framing=b"\\r\\n\\r\\n")
    def test_fake(tcp_server):
        tcp_server.reply(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n", end="close")
        client = http.client.HTTPConnection(*tcp_server.address, timeout=5)
        with contextlib.closing(client):
            client.request("GET", "/")
            client.getresponse().read()
            tcp_server.connections.wait(1)
            client.request("GET", "/")
            client.getresponse().read()

    @pytest.mark.windsock(framing="lines")
    def test_short(tcp_server):
        tcp_server.reply(b"hel", end="close")

        async def main():
            reader, writer = await asyncio.open_connection(*tcp_server.address)
            with contextlib.closing(writer):
                writer.write(b"GET\\n")
                await reader.readexactly(5)

        asyncio.run(main())
    """
    )

    assert found == {
        "test_handler": [
            "tcp_server #0: the handler closed the connection after 1 reply, 4 B, before the client was done with it: "
            "connect again for each request, or handle more than one in handle()"
        ],
        "test_fake": [
            "tcp_server #0: the server closed the connection after 1 reply, 38 B, before the client was done with it: "
            "connect again for each request"
        ],
        "test_short": ["tcp_server #0: the server closed the connection after 3 B, and the client expected more"],
    }


def test_a_connection_that_the_client_has_closed_is_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_client(tcp_server):
        tcp_server.echo()
        with client_of(tcp_server) as client:
            client.sendall(b"one")
            assert client.recv(100) == b"one"
        raise ConnectionResetError("by somebody else")

    @pytest.mark.windsock(handler=lambda request, address, server: request.sendall(b"bye"))
    def test_in_order(tcp_server):
        with client_of(tcp_server) as client:
            assert client.recv(100) == b"bye"
        assert b"hello" == b"bye"
    """
    )

    assert found == {"test_client": [], "test_in_order": []}


def test_a_reset_by_another_peer_is_not_blamed_on_a_server(conclude: Conclude) -> None:
    found = conclude(
        """
    class Once(StreamRequestHandler):
        def handle(self):
            self.wfile.write(self.rfile.readline().upper())

    pytestmark = pytest.mark.windsock(handler=Once)

    def ask(server):
        with client_of(server) as client:
            client.sendall(b"one\\n")
            assert client.recv(100) == b"ONE\\n"

    @pytest.fixture
    def other():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname(), timeout=5)
            accepted, _ = listener.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
            with client:
                yield client

    def test_open(tcp_server, other):
        ask(tcp_server)
        other.recv(100)

    def test_closed(tcp_server, other):
        with client_of(tcp_server) as client, other:
            client.sendall(b"one\\n")
            assert client.recv(100) == b"ONE\\n"
            other.recv(100)

    def test_own(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"one\\n")
            assert client.recv(100) == b"ONE\\n"
            while True:
                client.sendall(b"two\\n")
    """
    )

    assert (found["test_open"], found["test_closed"]) == ([], [])
    (own,) = found["test_own"]
    assert own.startswith("tcp_server #0: the handler closed the connection after 1 reply, 4 B")


def test_libraries_say_it_in_their_own_words(conclude: Conclude) -> None:
    found = conclude(
        """
    class ProtocolError(Exception):
        pass

    @pytest.mark.windsock(framing="lines")
    @pytest.mark.parametrize("text", [
        "Server disconnected without sending a response.",
        "consuming input failed: server closed the connection unexpectedly",
        "session terminated by server",
    ])
    def test_library(tcp_server, text):
        tcp_server.on(b"GET").reply(b"N\\n").then(b"", end="close")
        with client_of(tcp_server) as client:
            client.sendall(b"GET\\n")
            assert client.recv(100) == b"N\\n"
            client.sendall(b"GET\\n")
            if not client.recv(100):
                raise ProtocolError(text)
    """
    )

    sentence = (
        "tcp_server #0: the server closed the connection after 1 reply, 2 B, before the client was done with it: "
        "connect again for each request"
    )
    assert list(found.values()) == [[sentence]] * 3
