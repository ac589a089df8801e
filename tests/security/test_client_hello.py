"""What a client asks for, read from its first bytes."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windsock.security.client_hello import ClientHello, read_client_hello


def first_bytes(
    name: str | None,
    protocols: list[str],
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, context.maximum_version = lowest, highest
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(protocols)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("name", [None, "localhost", "xn--mller-kva.example"])
@pytest.mark.parametrize("protocols", [[], ["h2"], ["http/1.1", "h2", "x" * 255]])
def test_name_and_protocols_are_read(name: str | None, protocols: list[str]) -> None:
    assert read_client_hello(first_bytes(name, protocols))[:2] == (name, tuple(protocols))


@pytest.mark.parametrize(
    ("lowest", "highest", "expected"),
    [
        (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, ("TLSv1.2",)),
        (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3, ("TLSv1.3",)),
        (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, ("TLSv1.3", "TLSv1.2")),
    ],
)
def test_versions_are_read(lowest: ssl.TLSVersion, highest: ssl.TLSVersion, expected: tuple[str, ...]) -> None:
    assert read_client_hello(first_bytes("localhost", [], lowest, highest)).versions == expected


def test_half_of_a_hello_asks_for_nothing() -> None:
    whole = first_bytes("localhost", ["h2"])

    for size in range(len(whole)):
        assert read_client_hello(whole[:size]) == ClientHello()


def test_a_hello_may_come_in_several_records() -> None:
    whole = first_bytes("localhost", ["h2"])
    message = whole[5:]
    records = b"".join(whole[:3] + len(piece).to_bytes(2, "big") + piece for piece in (message[:7], message[7:]))

    assert read_client_hello(records) == ClientHello("localhost", ("h2",), ("TLSv1.3", "TLSv1.2"))


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_do_harm(data: bytes, looks_like_tls: bool) -> None:
    if looks_like_tls:
        data = b"\x16\x03\x01" + (len(data) + 4).to_bytes(2, "big") + b"\x01" + len(data).to_bytes(3, "big") + data

    assert isinstance(read_client_hello(data), ClientHello)


@given(st.integers(0, 500), st.integers(0, 255))
def test_a_broken_hello_does_no_harm(position: int, value: int) -> None:
    broken = bytearray(HELLO)
    broken[position % len(broken)] = value

    assert isinstance(read_client_hello(bytes(broken)), ClientHello)


HELLO = first_bytes("localhost", ["h2", "http/1.1"])
