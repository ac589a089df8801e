"""A message that is not complete."""

from __future__ import annotations

from tests.findings.conftest import Conclude


def test_each_framing_says_what_is_missing(conclude: Conclude) -> None:
    found = conclude(
        """
    def ask(server, message):
        with client_of(server, 0.2) as client:
            client.sendall(message)
            return client.recv(100)

    @pytest.mark.windsock(framing="lines")
    def test_line(tcp_server):
        tcp_server.reply(b"ok")
        ask(tcp_server, b"PING")

    @pytest.mark.windsock(framing=b"\\r\\n\\r\\n")
    def test_delimiter(unix_stream_server):
        unix_stream_server.reply(b"ok")
        ask(unix_stream_server, b"GET / HTTP/1.0\\n\\n")

    @pytest.mark.windsock(framing=16)
    def test_size(tcp_server):
        tcp_server.reply(b"ok")
        ask(tcp_server, b"0123456789")

    @pytest.mark.windsock(framing=lambda data: 20)
    def test_function(tcp_server):
        tcp_server.reply(b"ok")
        ask(tcp_server, b"0123456789")

    def test_bytes(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"ok")
        ask(tcp_server, b"PIN")
    """
    )

    assert found == {
        "test_line": ["tcp_server #0: 4 B came without a line end: b'PING'"],
        "test_delimiter": [
            r"unix_stream_server #0: 16 B came without the delimiter b'\r\n\r\n': b'GET / HTTP/1.0\n\n'; "
            r"it ends with b'\n\n'"
        ],
        "test_size": ["tcp_server #0: 10 of the 16 B of a message came: b'0123456789'"],
        "test_function": ["tcp_server #0: 10 B came of a message that waits for 10 more: b'0123456789'"],
        "test_bytes": [r"tcp_server #0: 3 of the 6 B of on(b'PING\r\n') came, b'G\r\n' is missing"],
    }


def test_an_error_of_ours_that_lists_the_message_is_enough(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(framing="lines")
    def test_it(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"PING")
            tcp_server.requests.wait(1, timeout=0.1)
    """
    )

    assert found == {"test_it": []}


def test_whole_messages_are_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(framing="lines")
    def test_it(tcp_server):
        tcp_server.reply(b"ok", times=None)
        with client_of(tcp_server) as client:
            client.sendall(b"PING\\n")
            assert client.recv(100) == b"no"
    """
    )

    assert found == {"test_it": []}
