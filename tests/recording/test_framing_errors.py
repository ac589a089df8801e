"""A message that cannot be: the same error at every look, with its place, and the peer is to blame."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

import windsock
from tests.support.servers import connect
from windsock import FramingError, LengthPrefix, PeerError, UsageError

PREFIXED = LengthPrefix(4, includes_prefix=True)
GOOD, BAD = b"\0\0\0\x08good", b"\0\0\0\3"

LOOKS: dict[str, Callable[[windsock.Requests], object]] = {
    "len": len,
    "list": list,
    "last": lambda requests: requests[-1],
    "behind": lambda requests: requests[1],
    "slice": lambda requests: requests[:],
    "wait": lambda requests: requests.wait(2, timeout=60.0),
    "only": lambda requests: requests.only(timeout=60.0),
    "none": lambda requests: requests.none(),
}


def read_all(request: Any, client_address: Any, server: Any) -> None:
    while request.recv(100):
        pass


def a_server(framing: Any, data: bytes) -> Any:
    """Return a stopped server to which a client has sent the data."""
    with windsock.serving(read_all, framing=framing) as server:
        with connect(server) as client:
            client.sendall(data)
        server.connections.wait()
    return server


@pytest.mark.parametrize("look", LOOKS)
def test_a_bad_length_prefix_is_the_same_error_at_every_look(look: str) -> None:
    server = a_server(PREFIXED, GOOD + BAD)

    for _ in range(2):
        with pytest.raises(FramingError) as caught:
            LOOKS[look](server.requests)

        error = caught.value
        assert (error.connection, error.offset, error.data, error.value) == (0, 8, BAD, 3)
        assert isinstance(error, PeerError)
        assert not isinstance(error, UsageError)
        assert str(error) == (
            "connection #0, byte 8: b'\\x00\\x00\\x00\\x03' does not start a message of framing "
            "LengthPrefix(size=4, byteorder='big', includes_prefix=True): "
            "the length 3 is shorter than the prefix itself; expected 4 or more"
        )


def test_what_was_recorded_before_a_bad_length_prefix_can_be_read() -> None:
    server = a_server(PREFIXED, GOOD + BAD + b"more")

    assert server.requests[0].data == GOOD
    assert server.requests.wait(1)[0].data == GOOD
    assert next(iter(server.requests)).data == GOOD
    assert server.connections[0].upstream == GOOD + BAD + b"more"
    assert "then FramingError" in repr(server.requests)


def test_a_wait_ends_at_once_with_a_bad_length_prefix() -> None:
    with windsock.serving(read_all, framing=PREFIXED, timeout=3600.0) as server, connect(server) as client:
        client.sendall(BAD)

        with pytest.raises(FramingError):
            server.requests.wait()


@pytest.mark.parametrize("pieces", [1, 2, 4])
def test_a_bad_length_prefix_is_the_same_error_however_it_was_cut(pieces: int) -> None:
    def by_pieces(request: Any, client_address: Any, server: Any) -> None:
        while request.recv(12 // pieces, socket.MSG_WAITALL):
            pass

    with windsock.serving(by_pieces, framing=PREFIXED) as server, connect(server) as client:
        client.sendall(GOOD + BAD)

        with pytest.raises(FramingError) as caught:
            server.requests.wait(2)

    assert (caught.value.offset, caught.value.value) == (8, 3)


def test_a_fake_blames_the_peer_for_a_bad_length_prefix() -> None:
    with windsock.serving(framing=PREFIXED, strict=False) as server:
        server.on(GOOD).reply(b"ok")
        with connect(server) as client:
            client.sendall(GOOD + BAD)
            while client.recv(100):
                pass
        (error,) = server.errors.take()

    assert isinstance(error, FramingError)
    assert (error.connection, error.offset, error.data, error.value) == (0, 8, BAD, 3)


def test_a_framing_function_that_raises_does_so_at_every_look() -> None:
    def magic(data: bytes) -> int:
        if data[0] != 0x7F:
            raise ValueError(f"no magic number: {data[0]}")
        return 2

    server = a_server(magic, b"\x7f1\x7f2?3")

    for _ in range(2):
        with pytest.raises(FramingError, match="it raised ValueError: no magic number: 63") as caught:
            len(server.requests)
        assert (caught.value.connection, caught.value.offset, caught.value.data) == (0, 4, b"?3")
        assert isinstance(caught.value.__cause__, ValueError)


def test_a_framing_function_that_returns_no_size_is_the_authors_error_at_every_look() -> None:
    server = a_server(lambda data: 0, b"x")

    for _ in range(2):
        with pytest.raises(UsageError, match="returned 0 for b'x': expected None, or a size of 1 or more"):
            len(server.requests)
