"""Syslog over TCP: `logger` of util-linux sends records of RFC 5424, each behind its length (RFC 6587)."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

import pytest

from windsock import RunningServer, protocols
from windsock.faults import Reset

RECORD = re.compile(rb"\d+ <(\d+)>1 \S+ \S+ (\S+) \S+ \S+ (?:-|\[.*?\]) ?(?:\xef\xbb\xbf)?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Record:
    facility: int
    severity: int
    app: str
    text: str


class Syslog(protocols.Protocol):
    def size(self, data: bytes) -> int | None:
        length, space, _ = data[:8].partition(b" ")
        if not length.isdigit():
            raise protocols.DecodeError("a record begins with its length")
        return len(length) + 1 + int(length) if space else None

    def decode(self, data: bytes) -> Record:
        match = RECORD.fullmatch(data)
        if match is None:
            raise protocols.DecodeError("no record of RFC 5424")
        return Record(*divmod(int(match[1]), 8), match[2].decode(), match[3].decode())


def log(server: RunningServer, *texts: str) -> None:
    command = ["logger", "-T", "-n", server.host, "-P", str(server.port), "--octet-count", "--rfc5424", "-t", "wind"]
    subprocess.run([*command, "-p", "user.warning"], input="\n".join(texts).encode(), check=True, timeout=20)


pytestmark = [
    pytest.mark.windsock(framing=Syslog),
    pytest.mark.skipif("--octet-count" not in subprocess.getoutput("logger --help"), reason="needs logger(1) of Linux"),
]


def test_records_are_told_apart_by_their_length(tcp_server: RunningServer) -> None:
    log(tcp_server, "from NW", "5 knots")
    assert tcp_server.requests.wait(2)[1].message == Record(1, 4, "wind", "5 knots")


def test_a_record_is_lost_with_its_connection(tcp_server: RunningServer) -> None:
    tcp_server.fault(Reset(), direction="upstream", match=protocols.message(Syslog, text="5 knots"))
    log(tcp_server, "from NW", "5 knots")
    assert [each.message.text for each in tcp_server.requests.wait(1)] == ["from NW"]
