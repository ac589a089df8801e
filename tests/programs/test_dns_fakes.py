"""dig asks fakes of DNS, and dnsmasq answers through a proxy that knows its messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.conftest import program, run, running
from windsock import RunningServer, proxy, serving
from windsock.protocols import dns

ZONE: dict[str, dict[str, str]] = {
    "example.org": {"A": "192.0.2.1", "AAAA": "2001:db8::1", "TXT": '"two words"'},
    "www.example.org": {"CNAME": "example.org"},
}


def dig(server: RunningServer, *options: str) -> str:
    program("dig")
    return run("dig", "+time=5", "+tries=1", *options, "-p", str(server.port), f"@{server.host}").stdout


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_dig_gets_the_records_of_a_zone(transport: str) -> None:
    with serving(transport=transport, framing="dns") as server:
        dns.zone(server, ZONE)
        options = ["+short", "+tcp" if transport == "tcp" else "+notcp"]
        assert dig(server, *options, "www.example.org", "A").split() == ["example.org.", "192.0.2.1"]
        assert dig(server, *options, "example.org", "AAAA").split() == ["2001:db8::1"]
        assert dig(server, *options, "example.org", "TXT").strip() == '"two words"'
        assert "status: NXDOMAIN" in dig(server, options[1], "nothing.example.org")
        server.drain()
        assert all(each.message.edns is not None for each in server.requests)


def test_dig_shows_edns_and_rcodes_of_a_fake() -> None:
    with serving(transport="udp", framing="dns") as server:
        server.on(dns.query("example.org")).reply(dns.refused()).then(dns.servfail(edns=False))
        first, second = dig(server, "example.org"), dig(server, "example.org")
        assert ("status: REFUSED" in first, "EDNS: version: 0" in first) == (True, True)
        assert ("status: SERVFAIL" in second, "EDNS: version: 0" in second) == (True, False)


def test_the_messages_of_dnsmasq_are_values(tmp_path: Path) -> None:
    program("dig")
    command = [program("dnsmasq"), "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"]
    command += ["--pid-file=", "--user=", "--listen-address=127.0.0.1", "--bind-interfaces", "--port={port}"]
    command += ["--address=/windsock.test/192.0.2.7"]
    question = bytes(dns.ask("windsock.test"))
    with (
        running(command, tmp_path, question=question) as port,
        proxy(("127.0.0.1", port), transport="udp", framing="dns") as between,
    ):
        run("dig", "+time=5", "-p", str(between.port), "@127.0.0.1", "windsock.test")
        request = between.requests.wait(1)[0]
        assert request.message.question == dns.Question("windsock.test", "A")
        assert request.reply_message.answers == ("windsock.test. 0 IN A 192.0.2.7",)
        assert [bytes(request.message), bytes(request.reply_message)] == [request.data, request.reply]
