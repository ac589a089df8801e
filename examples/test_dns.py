"""DNS: dnspython's resolver asks a zone, and fakes that fail, truncate, repeat, are stale, or hang up."""

from __future__ import annotations

from typing import Any

import pytest

from windsock import RunningServer, scripted_client
from windsock.faults import Duplicate, HalfClose
from windsock.protocols import dns

library = pytest.importorskip("dns.resolver")
messages = pytest.importorskip("dns.message")
queries = pytest.importorskip("dns.query")
fake = pytest.mark.windsock(framing="dns")


def resolver_of(server: RunningServer, timeout: float = 5) -> Any:
    resolver = library.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.timeout = [server.host], server.port, timeout
    resolver.lifetime = 20
    return resolver


@fake
def test_a_name_has_an_address(udp_server: RunningServer) -> None:
    dns.zone(udp_server, {"example.org": {"A": "192.0.2.1"}, "www.example.org": {"CNAME": "example.org"}})

    assert resolver_of(udp_server).resolve("www.example.org")[0].address == "192.0.2.1"

    assert udp_server.requests.only().message.question == dns.Question("www.example.org", "A")


@fake
def test_a_server_that_fails_is_an_error_of_the_client(udp_server: RunningServer) -> None:
    udp_server.on(dns.query("example.org")).reply(dns.servfail())

    with pytest.raises(library.NoNameservers, match="SERVFAIL"):
        resolver_of(udp_server).resolve("example.org")


# --- bad weather


@fake
def test_a_response_that_comes_twice_is_not_taken_for_the_next_one(udp_server: RunningServer) -> None:
    dns.zone(udp_server, {"example.org": {"A": "192.0.2.1"}, "example.net": {"A": "192.0.2.2"}})
    udp_server.fault(Duplicate(), direction="downstream")

    found = [resolver_of(udp_server).resolve(name)[0].address for name in ("example.org", "example.net")]

    assert found == ["192.0.2.1", "192.0.2.2"]


@fake
def test_a_stale_response_is_not_taken(udp_server: RunningServer) -> None:
    udp_server.on(dns.query()).reply(dns.answer("192.0.2.66", wrong_id=True)).then(dns.answer("192.0.2.1"))

    assert resolver_of(udp_server, timeout=0.5).resolve("example.org")[0].address == "192.0.2.1"


@fake
def test_a_connection_that_ends_between_two_responses_is_an_error(tcp_server: RunningServer) -> None:
    dns.zone(tcp_server, {"example.org": {"A": "192.0.2.1"}, "example.net": {"A": "192.0.2.2"}})
    tcp_server.fault(HalfClose(), direction="downstream", match=dns.response(name="example.net"))

    with scripted_client(tcp_server.address) as client:
        client.send(dns.ask("example.org", id=7, over_tcp=True)).send(dns.ask("example.net", id=8, over_tcp=True))
        client.expect(dns.response(name="example.org")).expect_eof()
    with pytest.raises(EOFError):
        queries.tcp(messages.make_query("example.net", "A"), tcp_server.host, port=tcp_server.port, timeout=5)
