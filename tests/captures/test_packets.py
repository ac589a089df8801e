"""Packets, byte by byte: what any receiver checks."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windsock.captures.conversation import SPREAD, DatagramConversation, TCPConversation
from windsock.captures.hosts import Hosts
from windsock.captures.packets import NetworkAddress, Route, TCPFlags
from windsock.captures.pcapng import PcapngWriter

IPS = {4: (bytes([127, 0, 0, 1]), bytes([127, 0, 0, 2])), 6: (bytes(15) + b"\1", bytes(15) + b"\2")}
HEADER_SIZES = {4: 20, 6: 40}


def route(version: int) -> Route:
    source, target = (NetworkAddress(bytes([2, 0, 0, 0, 0, n]), ip, 1000 + n) for n, ip in enumerate(IPS[version]))
    return Route(source, target)


def received_sum(data: bytes) -> int:
    """Return the sum that RFC 1071 has a receiver work out: 0xFFFF if the checksum is right."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo_header(version: int, protocol: int, size: int) -> bytes:
    return b"".join(IPS[version]) + struct.pack(">II", size, protocol)


@given(st.binary(max_size=600), st.sampled_from([4, 6]), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_receiver_finds_all_checksums_of_a_segment_right(data: bytes, version: int, sequence: int, ack: int) -> None:
    packet = b"".join(route(version).tcp(sequence, ack, TCPFlags.ACK, data))

    ip, segment = packet[14 : 14 + HEADER_SIZES[version]], packet[14 + HEADER_SIZES[version] :]
    assert received_sum(pseudo_header(version, 6, len(segment)) + segment) == 0xFFFF
    assert version == 6 or received_sum(ip) == 0xFFFF
    assert segment[20:] == data


@given(st.binary(max_size=600), st.sampled_from([4, 6]))
def test_a_receiver_finds_the_checksum_of_a_datagram_right(data: bytes, version: int) -> None:
    packet = b"".join(route(version).udp(data))

    datagram = packet[14 + HEADER_SIZES[version] :]
    assert received_sum(pseudo_header(version, 17, len(datagram)) + datagram) == 0xFFFF
    assert datagram[6:8] != b"\0\0"  # which says that there is none (RFC 768)


@pytest.mark.parametrize("word", range(0xFFF0, 0x10000))
def test_a_checksum_of_zero_is_sent_as_its_other_representation(word: int) -> None:
    packets = [b"".join(route(4).udp(struct.pack(">HH", word, low))) for low in range(0, 0x10000, 257)]

    assert all(each[40:42] != b"\0\0" for each in packets)


def test_sequence_numbers_go_round() -> None:
    client, server = Hosts().between(("127.0.0.1", 1), ("127.0.0.1", 2))
    number = (2**32 - 2) * pow(SPREAD, -1, 2**32) % 2**32 - 1
    conversation = TCPConversation(client, server, number)

    conversation.open()
    first, second = (conversation.data(b"1234", is_upstream=True) for _ in range(2))

    assert first is not None
    assert second is not None
    numbers = [struct.unpack(">I", bytes(each.packets[0].parts[0][38:42]))[0] for each in (first, second)]
    assert numbers == [2**32 - 1, 3]
    assert struct.unpack(">I", bytes(second.packets[1].parts[0][42:46])) == (7,)


def test_what_follows_the_end_of_a_stream_is_left_out() -> None:
    client, server = Hosts().between(("127.0.0.1", 1), ("127.0.0.1", 2))
    conversation = TCPConversation(client, server, 0)
    conversation.open()

    assert conversation.finish(is_upstream=True) is not None
    assert conversation.finish(is_upstream=True) is None
    assert conversation.data(b"late", is_upstream=True) is None
    assert conversation.data(b"fine", is_upstream=False) is not None
    assert conversation.reset(is_upstream=False) is not None
    assert conversation.reset(is_upstream=True) is None
    assert conversation.finish(is_upstream=False) is None


@pytest.mark.parametrize(
    ("peer", "server", "expected"),
    [
        (("10.0.0.1", 5), ("0.0.0.0", 80), ("10.0.0.1", "127.0.0.1")),
        (("::1", 5, 0, 0), ("::", 80, 0, 0), ("::1", "::1")),
        (("::ffff:127.0.0.1", 5, 0, 0), ("::", 80, 0, 0), ("127.0.0.1", "127.0.0.1")),
        (("fe80::1%lo", 5, 0, 1), ("fe80::2%lo", 80, 0, 1), ("fe80::1", "fe80::2")),
        (("127.0.0.1", 5), ("localhost", 80), ("127.0.0.1", "127.0.0.1")),
        (("127.0.0.1", 5), ("::1", 80, 0, 0), ("::ffff:127.0.0.1", "::1")),
        (None, ("::1", 80, 0, 0), ("::ffff:127.0.0.3", "::1")),
        ("/run/client", b"\0abstract", ("127.0.0.3", "127.0.0.2")),
    ],
)
def test_any_addresses_are_two_of_one_family(peer: object, server: object, expected: tuple[str, str]) -> None:
    from ipaddress import ip_address

    found = Hosts().between(peer, server)

    assert tuple(ip_address(each.ip) for each in found) == tuple(map(ip_address, expected))


def test_clients_of_unix_sockets_go_on_with_the_next_address() -> None:
    hosts = Hosts()
    found = [hosts.between(None, "/run/server")[0] for _ in range(5001)]

    assert len({(each.ip, each.port) for each in found}) == 5001
    assert (found[4998].ip, found[4998].port) == (bytes([127, 0, 0, 3]), 64999)
    assert (found[4999].ip, found[4999].port) == (bytes([127, 0, 0, 4]), 60001)


def test_an_empty_datagram_is_a_packet() -> None:
    conversation = DatagramConversation(*Hosts().between(("127.0.0.1", 1), ("127.0.0.1", 2)))

    burst = conversation.data(b"", is_upstream=True)

    assert [sum(map(len, each.parts)) for each in burst.packets] == [14 + 20 + 8]


@pytest.mark.parametrize("text", ["\ud800", "a\0b\x1b[31m", "é" * 70_000, ""])
def test_comments_are_bounded_text_whatever_is_said(text: str) -> None:
    file = BytesIO()
    writer = PcapngWriter(file)

    writer.packet(writer.interface("x"), 1, [b"data"], comments=[text])

    body = file.getvalue()
    size = int.from_bytes(body[-4:], "little")
    packet = body[-size:]
    assert int.from_bytes(packet[4:8], "little") == size
    assert len(packet) < 9000
    length = int.from_bytes(packet[34:36], "little")
    comment = packet[36 : 36 + length].decode()
    assert all(each.isprintable() for each in comment)
