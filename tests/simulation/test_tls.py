"""TLS by `ssl.SSLContext.wrap_socket()` in a world."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import trustme

from windsock.simulation import World, simulated

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("localhost")


@pytest.fixture
def world() -> Iterator[World]:
    with simulated(seed=7) as world:
        yield world


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def serve(work: Callable[[ssl.SSLSocket], object]) -> tuple[str, int]:
    """Have a thread accept one connection over TLS; return its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with context.wrap_socket(listener, server_side=True) as secure, secure.accept()[0] as connection:
            work(connection)

    address: tuple[str, int] = listener.getsockname()
    threading.Thread(target=run).start()
    return address


def connect(address: tuple[str, int]) -> ssl.SSLSocket:
    return client_context().wrap_socket(socket.create_connection(address), server_hostname="localhost")


def test_a_connection_is_encrypted_and_ends_in_order(world: World) -> None:
    def echo(connection: ssl.SSLSocket) -> None:
        connection.sendall(connection.recv(100))
        connection.unwrap().close()

    with connect(serve(echo)) as sock:
        sock.sendall(b"hello")

        assert sock.recv(100) == b"hello"
        assert sock.version() == "TLSv1.3"
        assert sock.getpeercert()
        assert sock.recv(100) == b""
        sock.unwrap().close()


def test_much_data_passes_in_pieces(world: World) -> None:
    data = bytes(3_000_000)
    with connect(serve(lambda connection: connection.sendall(data))) as sock, sock.makefile("rb") as file:
        assert len(file.read()) == len(data)


def test_a_time_out_takes_virtual_time(world: World) -> None:
    with connect(serve(lambda _: time.sleep(60))) as sock:
        sock.settimeout(30)
        with pytest.raises(TimeoutError, match="The read operation timed out"):
            sock.recv(1)
        assert world.now == 30


def test_a_socket_that_does_not_block_wants_to_read(world: World) -> None:
    with connect(serve(lambda _: time.sleep(60))) as sock:
        sock.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            sock.recv(1)


def test_an_untrusted_certificate_is_refused_on_both_sides(world: World) -> None:
    errors: list[ssl.SSLError] = []

    def accept() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        CERTIFICATE.configure_cert(context)
        with listener, listener.accept()[0] as connection:
            try:
                context.wrap_socket(connection, server_side=True)
            except ssl.SSLError as error:
                errors.append(error)

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept)
    thread.start()
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(listener.getsockname()) as plain:
        context.wrap_socket(plain, server_hostname="localhost")
    thread.join()

    assert "UNKNOWN_CA" in str(errors[0])
