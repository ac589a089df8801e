"""A message that a rule would match but for one thing."""

from __future__ import annotations

import pytest

from tests.findings.conftest import Conclude
from windsock.findings.near_match import difference


def test_the_line_end_is_named_at_the_clients_own_failure(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        with client_of(tcp_server, 0.2) as client:
            client.sendall(b"PING\\n")
            assert client.recv(100) == b"PONG\\r\\n"
    """
    )

    assert found == {
        "test_it": [
            r"tcp_server #0: b'PING\n' would match on(b'PING\r\n') but for the line end: it ends with b'\n', "
            r"the rule with b'\r\n'"
        ]
    }


def test_datagrams_and_regular_expressions_are_compared_too(conclude: Conclude) -> None:
    found = conclude(
        """
    def ask(server, message):
        with datagrams_to(server, 0.2) as client:
            client.send(message)
            return client.recv(100)

    def test_trailing(udp_server):
        udp_server.on(b"hits:1|c").reply(b"ok")
        ask(udp_server, b"hits:1|c\\0")

    def test_case(udp_server):
        udp_server.on(re.compile(b"^hits")).reply(b"ok")
        ask(udp_server, b"HITS:1|c")

    @pytest.mark.windsock(framing="lines")
    def test_framed(tcp_server):
        tcp_server.on(b"caf\\xc3\\xa9").reply(b"ok")
        with client_of(tcp_server, 0.2) as client:
            client.sendall("café\\n".encode("latin-1"))
            assert client.recv(100) == b"ok"
    """
    )

    assert found == {
        "test_trailing": [
            r"udp_server #0: b'hits:1|c\x00' would match on(b'hits:1|c') but for b'\x00' at its end, "
            "which the rule does not have"
        ],
        "test_case": [
            "udp_server #0: b'HITS:1|c' would match on(re.compile(b'^hits')) but for upper and lower case: "
            "re.IGNORECASE takes both"
        ],
        "test_framed": [
            r"tcp_server #0: b'caf\xe9\n' would match on(b'caf\xc3\xa9') but for the encoding: it is Latin-1, "
            "the rule UTF-8"
        ],
    }


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        (b"GET a", b"GET  a", "white space"),
        (b"\x00\x00\x00\x05hello", b"\x05\x00\x00\x00hello", "the byte order of its first 4 bytes: they are b'"),
        (b"PING", b"ping", "upper and lower case: "),
        (b"a\r\nb\r\n", b"a\nb\n", "its line ends within: one has CR LF "),
        (b"PING\x00", b"PING", r"b'\x00' at the end of the rule, which it does not have"),
        (b"PING\n", b"PING", "the line end: it has none, the rule with"),
        (b"PING", b"PONG", ""),
        (b"PING", b"pong", ""),
        (b"PING\r\n", b"ping\n", ""),
        (b"PING", b"PING", ""),
        (b"PING", b"", ""),
    ],
)
def test_exactly_one_thing_may_be_different(pattern: bytes, message: bytes, expected: str) -> None:
    found = difference(pattern, message)

    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_messages_that_match_or_are_quite_different_are_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_matched(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        with client_of(tcp_server) as client:
            client.sendall(b"PING\\r\\n")
            assert client.recv(100) == b"PANG\\r\\n"

    def test_different(udp_server):
        udp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        udp_server.reply(b"?")
        with datagrams_to(udp_server) as client:
            client.send(b"QUIT")
            assert client.recv(100) == b"PONG\\r\\n"
    """
    )

    assert found == {"test_matched": [], "test_different": []}


def test_an_unexpected_message_names_its_nearest_rule_itself(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(udp_server):
        udp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        with datagrams_to(udp_server) as client:
            client.send(b"PING\\n")
    """
    )

    assert found == {"test_it": []}
