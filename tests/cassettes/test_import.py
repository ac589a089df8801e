"""Captures become cassettes: what tcpdump has seen is replayed."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from windsock import CassetteError, UsageError, replay, scripted_client, serving
from windsock.captures import subject_of, write_capture
from windsock.captures.packets import NetworkAddress, Route, TCPFlags
from windsock.cassettes.capture_file import CaptureError
from windsock.cassettes.importing import CaptureImport, import_capture

pytest.importorskip("dpkt", reason="pip install pytest-windsock[pcap]")

SERVER = NetworkAddress(b"\2" * 6, bytes([10, 0, 0, 5]), 6379)
ACK, SYN, FIN, RST = TCPFlags.ACK, TCPFlags.SYN, TCPFlags.FIN, TCPFlags.RST


class Peers:
    """Packets between a client and a server, as they are on the wire."""

    def __init__(self, port: int = 5000, server: NetworkAddress = SERVER) -> None:
        client = NetworkAddress(b"\4" * 6, bytes([10, 0, 0, 9]), port)
        self.up, self.down = Route(client, server), Route(server, client)

    def tcp(self, flags: int, sequence: int, data: bytes = b"", *, is_up: bool = True) -> bytes:
        return b"".join(bytes(each) for each in (self.up if is_up else self.down).tcp(sequence, 0, flags, data))

    def hello(self) -> list[bytes]:
        return [self.tcp(SYN, 99), self.tcp(SYN | ACK, 499, is_up=False), self.tcp(ACK, 100)]

    def talk(self, question: bytes = b"PING\n", answer: bytes = b"PONG\n") -> list[bytes]:
        return [*self.hello(), self.tcp(ACK, 100, question), self.tcp(ACK, 500, answer, is_up=False)]

    def end(self, size: int = 5) -> list[bytes]:
        return [self.tcp(FIN | ACK, 100 + size), self.tcp(FIN | ACK, 500 + size, is_up=False)]


def pcap(path: Path, packets: Iterable[bytes], link: int = 1, length: int = 65535) -> Path:
    """Write a file as tcpdump does; of each packet at most `length` bytes."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, length, link)]
    for number, each in enumerate(packets):
        kept = each[:length]
        parts += [struct.pack("<IIII", 1_700_000_000, number * 1000, len(kept), len(each)), kept]
    path.write_bytes(b"".join(parts))
    return path


def imported(tmp_path: Path, packets: Sequence[bytes], **options: Any) -> tuple[CaptureImport, list[str]]:
    """Return the result, and the lines of the cassette without their times."""
    result = import_capture(pcap(tmp_path / "a.pcap", packets), tmp_path / "a.txt", framing="lines", **options)
    lines = (tmp_path / "a.txt").read_text().splitlines()[4:-1]
    return result, [line.partition(" ")[2] for line in lines]


def test_a_capture_becomes_a_cassette_that_is_replayed(tmp_path: Path) -> None:
    peers = Peers()

    result, lines = imported(tmp_path, [*peers.talk(), *peers.end()])

    assert result == CaptureImport(("10.0.0.5", 6379), 1)
    assert lines == ["1 opened", r"1 > PING\n", r"1 < PONG\n", "1 client eof", "1 server eof"]
    with replay(tmp_path / "a.txt") as server, scripted_client(server.address) as client:
        client.send(b"PING\n").expect(b"PONG\n")


def test_what_windsock_has_captured_is_imported(tmp_path: Path) -> None:
    with serving(framing="lines") as server:
        server.echo()
        for word in (b"ONE\n", b"PASS swordfish\n"):
            with server.connect() as client:
                client.send(word).expect(word)
        server.connections.wait(2)
    write_capture(str(tmp_path / "a.pcapng"), [subject_of(server)])

    result = import_capture(tmp_path / "a.pcapng", tmp_path / "a.txt", framing="lines")

    assert (result.server, result.connections, result.left_out) == (server.address, 2, ())
    assert r"1 > ONE\n" in (tmp_path / "a.txt").read_text()


def test_segments_that_were_lost_and_sent_again_come_in_order(tmp_path: Path) -> None:
    peers = Peers()
    late = [peers.tcp(ACK, 105, b"TWO\n"), peers.tcp(ACK, 100, b"PING\n"), peers.tcp(ACK, 100, b"PING\nTWO\n")]

    _, lines = imported(tmp_path, [*peers.hello(), peers.tcp(SYN, 99), *late])

    assert lines == ["1 opened", r"1 > PING\n", r"1 > TWO\n", "1 silence"]


def test_a_secret_does_not_reach_the_cassette(tmp_path: Path) -> None:

    _, lines = imported(tmp_path, Peers().talk(b"go ticket=123\n"), redact=re.compile(rb"ticket=(\w+)"))

    assert lines[1] == r"1 > go ticket=\<redacted 3>\n"


@pytest.mark.parametrize(
    ("packets", "line"),
    [
        ([Peers().tcp(RST, 105)], "1 client reset"),
        ([Peers().tcp(RST, 505, is_up=False)], "1 server reset"),
    ],
)
def test_a_reset_is_a_line(tmp_path: Path, packets: list[bytes], line: str) -> None:
    _, lines = imported(tmp_path, [*Peers().talk(), *packets])

    assert lines[-1] == line


def test_a_refused_connection_is_a_line(tmp_path: Path) -> None:
    _, lines = imported(tmp_path, [Peers().tcp(SYN, 99), Peers().tcp(RST | ACK, 0, is_up=False)])

    assert lines == ["1 opened", "1 refused: Connection refused"]


def test_connections_that_are_not_whole_are_left_out_and_named(tmp_path: Path) -> None:
    before, gap, secret = Peers(5001), Peers(5002), Peers(5003)
    packets = [
        before.tcp(ACK, 7, b"GO\n"),
        *gap.hello(),
        gap.tcp(ACK, 110, b"late\n"),
        *secret.talk(b"\x16\x03\x01\x00\x05\x01", b"\x16\x03\x03\x00\x05\x02"),
        *Peers().talk(),
    ]

    result, lines = imported(tmp_path, packets)

    assert result.connections == 1
    assert [each.partition(", ")[0].partition(";")[0] for each in result.left_out] == [
        "10.0.0.9:5002: some of its packets are missing from the capture",
        "10.0.0.9:5003: it is encrypted",
        "10.0.0.9:5001: it began before the capture",
    ]
    assert lines[1] == r"1 > PING\n"


def test_packets_that_were_cut_short_are_told(tmp_path: Path) -> None:
    capture = pcap(tmp_path / "a.pcap", Peers().talk(b"a" * 500 + b"\n"), length=100)

    with pytest.raises(CaptureError, match="its packets were cut short; capture whole packets"):
        import_capture(capture, tmp_path / "a.txt")

    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.pcap"]


def test_of_several_servers_one_has_to_be_chosen(tmp_path: Path) -> None:
    other = Peers(server=NetworkAddress(b"\2" * 6, bytes([10, 0, 0, 6]), 80))
    packets = [*Peers().talk(), *other.talk(b"GET\n", b"OK\n")]

    with pytest.raises(CaptureError, match=r"several servers; choose one with server=: 10\.0\.0\.5:6379 \(1\), "):
        imported(tmp_path, packets)
    with pytest.raises(CaptureError, match=r"it has nothing to 10\.0\.0\.7:1; it has 10\.0\.0\.5:6379"):
        imported(tmp_path, packets, server=("10.0.0.7", 1))
    result, lines = imported(tmp_path, packets, server=("10.0.0.6", 80))

    assert result.server == ("10.0.0.6", 80)
    assert lines[1] == r"1 > GET\n"


def test_datagrams_are_imported_with_their_replies(tmp_path: Path) -> None:
    peers = Peers()
    packets = [b"".join(map(bytes, peers.up.udp(b"ask"))), b"".join(map(bytes, peers.down.udp(b"told")))]

    result, lines = imported(tmp_path, packets, transport="udp")

    assert (result.server, result.connections) == (("10.0.0.5", 6379), 1)
    assert lines == ["1 opened", "1 > ask", "1 < told"]


@pytest.mark.parametrize(("link", "ahead"), [(101, b""), (113, struct.pack(">HHH8sH", 0, 1, 6, b"", 0x0800))])
def test_captures_of_any_interface_and_of_raw_ip_are_read(tmp_path: Path, link: int, ahead: bytes) -> None:
    packets = [ahead + each[14:] for each in Peers().talk()]

    result = import_capture(pcap(tmp_path / "a.pcap", packets, link), tmp_path / "a.txt")

    assert result.connections == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "it cannot be read: No such file"),
        (b"", "it is no pcap or pcapng file"),
        (b"hello, this is a text and no capture", "it is no pcap or pcapng file"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 99, 147), "its link type is 147; expected Ethernet"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 99, 1), "it has no connection that begins in it"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "a.pcap"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CaptureError, match=why) as caught:
        import_capture(path, tmp_path / "a.txt")

    assert caught.value.path == str(path)
    assert not (tmp_path / "a.txt").exists()


def test_a_damaged_capture_says_after_which_packet(tmp_path: Path) -> None:
    with serving(framing="lines") as server, server.connect() as client:
        client.send(b"ONE\n")
        server.requests.wait(1)
    write_capture(str(tmp_path / "a.pcapng"), [subject_of(server)])
    whole = (tmp_path / "a.pcapng").read_bytes()
    (tmp_path / "a.pcapng").write_bytes(whole[:-30])

    with pytest.raises(CaptureError, match=r"it is damaged after \d packets"):
        import_capture(tmp_path / "a.pcapng", tmp_path / "a.txt")


def test_without_dpkt_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dpkt", None)

    with pytest.raises(UsageError, match=re.escape("dpkt is not installed: pip install pytest-windsock[pcap]")):
        import_capture("a.pcap", tmp_path / "a.txt")


def test_wrong_values_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="transport='sctp': expected 'tcp' or 'udp'"):
        import_capture("a", "b", transport="sctp")
    with pytest.raises(UsageError, match="progress=True: expected a function that takes a number from 0 to 1"):
        import_capture(tmp_path / "a.pcap", tmp_path / "a.txt", progress=True)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="with an IP address, as in the capture"):
        import_capture("a", "b", server=("redis.example", 1))
    with pytest.raises(CassetteError, match="it cannot be written"):
        import_capture(pcap(tmp_path / "a.pcap", Peers().talk()), tmp_path / "a.pcap" / "b.txt")


def test_a_cassette_does_not_take_the_place_of_its_capture(tmp_path: Path) -> None:
    path = pcap(tmp_path / "a.pcap", Peers().talk())
    before = path.read_bytes()

    with pytest.raises(UsageError, match="is the capture itself; expected another path"):
        import_capture(path, tmp_path / "." / "a.pcap")

    assert path.read_bytes() == before
