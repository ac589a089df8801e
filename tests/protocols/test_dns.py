"""DNS messages as values, the fakes that are made of them, and the resolver of dnspython as their client."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from dns import message as client_messages
from dns import query as client_queries
from dns import resolver as client_library
from hypothesis import given, settings
from hypothesis import strategies as st

from windsock import RunningServer, StartError, UsageError, serving
from windsock.fakes.errors import UnexpectedMessage
from windsock.harness import CONCURRENCIES
from windsock.protocols import DecodeError, dns
from windsock.protocols.dns import PROTOCOL, DNSMessage

often = settings(max_examples=int(os.environ.get("WINDSOCK_EXAMPLES", "100")), database=None, deadline=None)
pytestmark = pytest.mark.timeout(1800)  # for as many as are asked for

CODE = {"dns": dns}
QUERY = bytes.fromhex("2a2a 0100 0001 0000 0000 0000 0877696e64736f636b0474657374 00 0001 0001")
"""A query for the address of windsock.test (RFC 1035, section 4.1)."""
ZONE: dict[str, dict[str, Any]] = {
    "example.org": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": "2001:db8::1", "MX": "10 mail.example.org"},
    "www.example.org": {"CNAME": "example.org"},
    "away.example.org": {"CNAME": "www.example.net"},
}


def resolver_of(server: RunningServer, **options: Any) -> client_library.Resolver:
    resolver = client_library.Resolver(configure=False)
    resolver.nameservers, resolver.port = [server.host], server.port
    resolver.lifetime = options.pop("lifetime", 10)
    for name, value in options.items():
        setattr(resolver, name, value)
    return resolver


def texts(found: Any) -> list[str]:
    return sorted(each.to_text() for each in found)


# --- values


def test_a_query_is_a_value() -> None:
    message = PROTOCOL.decode(QUERY)

    assert message == dns.ask("windsock.test", "A", id=0x2A2A)
    assert (message.id, message.question.name, message.question.type) == (0x2A2A, "windsock.test", "A")
    assert bytes(message) == QUERY
    assert str(message) == "query A windsock.test (id 10794)"


def test_over_tcp_the_length_comes_first() -> None:
    whole = len(QUERY).to_bytes(2, "big") + QUERY
    message = PROTOCOL.decode(whole)

    assert [PROTOCOL.size(whole[:1]), PROTOCOL.size(whole[:2]), PROTOCOL.size(whole + b"x")] == [None, 33, 33]
    assert message == dns.ask("windsock.test", id=0x2A2A, over_tcp=True)
    assert bytes(message) == whole
    assert PROTOCOL.request_key(whole) == PROTOCOL.request_key(QUERY) == b"**"


def test_a_datagram_whose_id_looks_like_its_length_is_not_taken_for_one_of_tcp() -> None:
    data = (len(QUERY) - 2).to_bytes(2, "big") + QUERY[2:]

    assert PROTOCOL.decode(data) == dns.ask("windsock.test", id=len(QUERY) - 2)


@pytest.mark.parametrize(
    ("answer", "words", "code"),
    [
        (dns.answer("192.0.2.1"), "NOERROR 192.0.2.1", "dns.answer('192.0.2.1')"),
        (dns.answer("2001:db8::1", ttl=5), "NOERROR 2001:db8::1", "dns.answer('2001:db8::1', ttl=5)"),
        (dns.answer(), "NOERROR", "dns.answer()"),
        (dns.answer("MX 10 mail.example"), "NOERROR MX 10 mail.example.", "dns.answer('MX 10 mail.example')"),
        (dns.answer('TXT "a b"'), 'NOERROR TXT "a b"', "dns.answer('TXT \"a b\"')"),
        (
            dns.answer("CNAME www.example.net", "192.0.2.1"),
            "NOERROR CNAME www.example.net., 192.0.2.1",
            "dns.answer('CNAME www.example.net', '192.0.2.1')",
        ),
        (dns.nxdomain(), "NXDOMAIN", "dns.nxdomain()"),
        (dns.servfail(edns=False), "SERVFAIL", "dns.servfail(edns=False)"),
        (dns.refused(), "REFUSED", "dns.refused()"),
        (dns.error("NOTIMP"), "NOTIMP", "dns.error('NOTIMP')"),
        (dns.truncated("192.0.2.1"), "NOERROR truncated", "dns.truncated('192.0.2.1')"),
    ],
)
def test_an_answer_takes_the_id_and_the_question(answer: Any, words: str, code: str) -> None:
    message = answer(QUERY)

    assert str(message) == f"{words} (id 10794)"
    assert message.questions == PROTOCOL.decode(QUERY).questions
    assert PROTOCOL.decode_reply(bytes(message)) == message
    assert eval(repr(message), CODE) == message
    assert repr(answer) == code
    assert eval(code, CODE) == answer


def test_records_after_a_cname_are_those_of_its_target() -> None:
    message = dns.answer("CNAME www.example.net", "192.0.2.1")(QUERY)

    assert message.answers == (
        "windsock.test. 60 IN CNAME www.example.net.",
        "www.example.net. 60 IN A 192.0.2.1",
    )


def test_an_answer_has_edns_if_the_query_has() -> None:
    query = DNSMessage(1, (dns.Question("example.org"),), flags="RD", edns=dns.EDNS(4096, "DO", ((10, b"12345678"),)))

    assert PROTOCOL.decode(bytes(query)) == query
    assert dns.answer("192.0.2.1")(bytes(query)).edns == dns.EDNS()
    assert dns.answer("192.0.2.1", edns=False)(bytes(query)).edns is None
    assert dns.answer("192.0.2.1")(QUERY).edns is None


def test_the_payload_of_edns_is_a_number() -> None:
    found = PROTOCOL.decode(bytes(DNSMessage(1, edns=dns.EDNS(208))))
    assert repr(found.edns) == "dns.EDNS(payload=208)"


@pytest.mark.parametrize(("payload", "is_cut"), [(None, True), (512, True), (4096, False)])
def test_an_answer_that_is_too_large_for_a_datagram_is_truncated(payload: int | None, *, is_cut: bool) -> None:
    edns = None if payload is None else dns.EDNS(payload)
    query = DNSMessage(1, (dns.Question("example.org"),), edns=edns)
    message = dns.answer(*(f"192.0.2.{each}" for each in range(60)))(bytes(query))

    assert (message.is_truncated, len(message.answers)) == (is_cut, 0 if is_cut else 60)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: dns.answer("nonsense"), "'nonsense' is no record"),
        (lambda: dns.answer("MX mail.example.org"), "'MX mail.example.org' is no record"),
        (lambda: dns.answer("192.0.2.1", ttl=-1), "ttl=-1"),
        (lambda: dns.error("NOPE"), "'NOPE' is not known; expected the name of an rcode"),
        (lambda: dns.response("NOPE"), "expected the name of an rcode"),
        (lambda: dns.query("x", "NOPE"), "expected the name of a type"),
        (lambda: dns.query("a..x"), "no name has an empty label"),
        (lambda: dns.response(name=""), "no name has an empty label"),
        (lambda: dns.ask("x", "NOPE"), "expected the name of a type"),
        (lambda: dns.query(1), "expected a str"),  # type: ignore[arg-type]
        (lambda: dns.response(name=b"x"), "expected a str"),  # type: ignore[arg-type]
        (lambda: dns.ask("x", id=70000), "from 0 to 65535"),
        (lambda: DNSMessage(1).question, "has no question"),
        (lambda: bytes(DNSMessage(1, answers=("nonsense",))), "can't be encoded"),
    ],
)
def test_a_wrong_value_is_an_error_of_the_test(make: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


def test_patterns_are_code_and_ignore_the_case() -> None:
    for code in (
        "dns.query()",
        "dns.query('example.org')",
        "dns.query('example.org', type='A')",
        "dns.query(type='MX')",
    ):
        assert repr(eval(code, CODE)) == code
    for code in ("dns.response()", "dns.response('NXDOMAIN')", "dns.response(name='example.org', type='A')"):
        assert repr(eval(code, CODE)) == code
    asked = dns.ask("Example.ORG", "mx")
    assert dns.query("example.org.", "MX")(bytes(asked))
    assert not dns.query("example.org", "A")(bytes(asked))
    assert dns.query("example.net").why_not(bytes(asked)) == "it is query MX Example.ORG (id 1)"
    refused = bytes(dns.refused()(bytes(asked)))
    assert dns.response("REFUSED", name="example.org")(refused)
    assert not dns.response("NXDOMAIN")(refused)
    assert not dns.query()(refused)


# --- fakes


@pytest.mark.parametrize("concurrency", CONCURRENCIES)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_resolver_gets_the_records_of_a_zone(transport: str, concurrency: str) -> None:
    with serving(transport=transport, concurrency=concurrency, framing="dns") as server:
        dns.zone(server, ZONE)
        resolver = resolver_of(server)
        is_tcp = transport == "tcp"
        assert texts(resolver.resolve("EXAMPLE.org", "A", tcp=is_tcp)) == ["192.0.2.1", "192.0.2.2"]
        assert texts(resolver.resolve("www.example.org", "AAAA", tcp=is_tcp)) == ["2001:db8::1"]
        assert texts(resolver.resolve("example.org", "MX", tcp=is_tcp)) == ["10 mail.example.org."]
        with pytest.raises(client_library.NXDOMAIN):
            resolver.resolve("nothing.example.org", tcp=is_tcp)
        with pytest.raises(client_library.NoAnswer):
            resolver.resolve("example.org", "TXT", tcp=is_tcp)
        server.drain()

        first = next(each for each in server.requests if each.message.question.name == "EXAMPLE.org")
        assert first.reply_message.answers == tuple(f"EXAMPLE.org. 60 IN A 192.0.2.{each}" for each in (1, 2))
        assert any("query A EXAMPLE.org" in line for line in server.transcript())


def test_queries_come_over_tls_too() -> None:
    with serving(tls=True, framing="dns") as server:
        server.on(dns.query("example.org")).reply(dns.answer("192.0.2.1"))
        asked = client_messages.make_query("example.org", "A")
        context = server.client_context()
        found = client_queries.tls(
            asked, server.host, port=server.port, timeout=10, ssl_context=context, server_hostname="localhost"
        )
        assert texts(found.answer[0]) == ["192.0.2.1"]


def test_a_query_for_a_name_elsewhere_gets_the_cname_alone() -> None:
    zone = dns.Zone(ZONE, 60)
    asked = bytes(dns.ask("away.example.org"))

    assert zone.answer(asked).answers == ("away.example.org. 60 IN CNAME www.example.net.",)
    assert zone.answer(bytes(dns.ask("example.org", "ANY"))).answers[-1] == "example.org. 60 IN MX 10 mail.example.org."
    assert zone.answer(bytes(DNSMessage(1))).rcode == "FORMERR"
    with pytest.raises(UsageError, match="expected names with their records"):
        dns.Zone({"example.org": "192.0.2.1"}, 60)  # type: ignore[dict-item]


def test_cname_records_in_a_circle_end() -> None:
    zone = dns.Zone({"a.example": {"CNAME": "b.example"}, "b.example": {"CNAME": "a.example"}}, 60)

    assert 1 < len(zone.answer(bytes(dns.ask("a.example"))).answers) < 20


@pytest.fixture
def pair() -> Iterator[list[RunningServer]]:
    """Give fakes of UDP and of TCP with one port; another program may have one of the two ports."""
    for _ in range(20):
        with serving(transport="udp", framing="dns") as datagrams:
            try:
                with serving(port=datagrams.port, framing="dns") as streams:
                    yield [datagrams, streams]
                    return
            except StartError:
                continue
    pytest.fail("no port is free for both")


def test_a_client_asks_again_over_tcp_if_an_answer_is_truncated(pair: list[RunningServer]) -> None:
    for server in pair:
        server.on(dns.query("example.org")).reply(dns.truncated("192.0.2.1", "192.0.2.2"))

    assert texts(resolver_of(pair[0]).resolve("example.org")) == ["192.0.2.1", "192.0.2.2"]
    assert pair[0].requests.only().reply_message.is_truncated
    assert not pair[1].requests.wait(1)[0].reply_message.is_truncated


@pytest.mark.parametrize(("answer", "rcode"), [(dns.servfail(), "SERVFAIL"), (dns.refused(), "REFUSED")])
def test_a_server_that_fails_is_an_error_of_the_client(answer: Any, rcode: str) -> None:
    with serving(transport="udp", framing="dns") as server:
        server.on(dns.query()).reply(answer)
        with pytest.raises(client_library.NoNameservers, match=rcode):
            resolver_of(server).resolve("example.org")


def test_an_answer_with_a_wrong_id_is_not_taken() -> None:
    with serving(transport="udp", framing="dns") as server:
        server.on(dns.query()).reply(dns.answer("192.0.2.66", wrong_id=True)).then(dns.answer("192.0.2.1"))
        found = resolver_of(server, timeout=0.5).resolve("example.org")

        assert texts(found) == ["192.0.2.1"]
        first = server.requests[0]
        assert first.reply_message.id == first.message.id ^ 1


def test_a_late_answer_is_asked_for_again() -> None:
    with serving(transport="udp", concurrency="threading", framing="dns") as server:
        server.on(dns.query()).reply(dns.answer("192.0.2.66"), delay=30).then(dns.answer("192.0.2.1"))

        assert texts(resolver_of(server, timeout=0.5, lifetime=20).resolve("example.org")) == ["192.0.2.1"]


def test_a_script_sends_and_expects_messages_of_a_stream() -> None:
    with serving(framing="dns") as server:
        dns.zone(server, ZONE)
        with server.connect() as client:
            client.send(dns.ask("example.org", id=7, over_tcp=True), pieces=5).expect(dns.response("NOERROR"))
            client.send(dns.ask("nothing.example", id=8, over_tcp=True)).expect(dns.response("NXDOMAIN"))
        server.drain()
        assert "dns.DNSMessage(id=7" in str(server.connections[0].as_script())


def test_faults_find_a_response() -> None:
    with serving(framing="dns") as server:
        dns.zone(server, ZONE)
        fault = server.fault(
            lambda item, context: None, direction="downstream", match=dns.response(name="www.example.org")
        )
        with server.connect() as client:
            client.send(dns.ask("www.example.org", over_tcp=True)).send(dns.ask("example.org", id=9, over_tcp=True))
            client.expect(dns.response(name="example.org"))
        assert fault.fired == 1


def test_faults_find_the_datagram_of_a_response() -> None:
    with serving(transport="udp", framing="dns") as server:
        dns.zone(server, ZONE)
        match = dns.response("NXDOMAIN")
        server.fault(lambda item, context: dns.ask("x").__bytes__(), direction="downstream", match=match, nth=2)
        with server.connect() as client:
            for name, code in (("a.example", "NXDOMAIN"), ("example.org", "NOERROR")):
                client.send(dns.ask(name)).expect(dns.response(code))
            client.send(dns.ask("b.example")).expect(dns.query("x"))


# --- bad input


MALFORMED = [b"\0\7", QUERY[:-3], QUERY + b"x", QUERY[:12] + b"\xc0\x0c" + QUERY[-4:]]


@pytest.mark.parametrize("data", MALFORMED)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_malformed_message_is_recorded_with_the_reason(transport: str, data: bytes) -> None:
    sent = data if transport == "udp" else len(data).to_bytes(2, "big") + data
    with serving(transport=transport, framing="dns", strict=False) as server:
        dns.zone(server, ZONE)
        with server.connect() as client:
            client.send(sent)
            request = server.requests.wait(1)[0]
            assert request.data == sent
            with pytest.raises(DecodeError):
                _ = request.message
        server.drain()
        assert any("no DNS message (" in line for line in server.transcript())
        assert [type(each) for each in server.errors] == [UnexpectedMessage]


def test_an_update_is_no_query() -> None:
    data = QUERY[:2] + b"\x28\0" + QUERY[4:-4] + b"\0\6\0\1"

    with pytest.raises(DecodeError, match="UPDATE"):
        PROTOCOL.decode(data)


def test_without_dnspython_the_extra_is_named() -> None:
    code = "import sys, windsock; sys.modules['dns'] = None; windsock.serving(framing='dns').__enter__()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)

    assert ended.stderr.splitlines()[-1].endswith("dns.message is not installed: pip install pytest-windsock[dns]")


WHOLE = [QUERY, bytes(dns.ask("example.org", over_tcp=True))]
WHOLE += [bytes(dns.Zone(ZONE, 60).answer(bytes(dns.ask("www.example.org", kind)))) for kind in ("A", "MX", "ANY")]
WHOLE += [bytes(DNSMessage(1, (dns.Question("a.b"),), edns=dns.EDNS(options=((3, b"id"), (8, b"\0\1\x18\0\x7f\0\0")))))]


@often
@given(st.sampled_from(WHOLE), st.data())
def test_a_mutated_message_is_a_message_or_an_error_of_decoding(whole: bytes, data: Any) -> None:
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    _check(bytes(changed))


@often
@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_an_error_of_decoding(data: bytes) -> None:
    _check(data)


def _check(data: bytes) -> None:
    """Decode; no other errors than DecodeError, and what can be encoded again is the same message."""
    PROTOCOL.body(data)
    PROTOCOL.request_key(data)
    try:
        found = PROTOCOL.decode(data)
    except DecodeError:
        return
    assert str(found)
    assert eval(repr(found), CODE) == found
    try:
        encoded = bytes(found)
    except UsageError:  # what dnspython can't read again from its own text
        return
    assert PROTOCOL.decode(encoded).id == found.id


def test_the_root_is_a_name() -> None:
    with serving(framing="dns") as server:
        server.on(dns.query(".", "NS")).reply(dns.answer("NS a.root.example"))
        dns.zone(server, {".": {"SOA": "a.root.example admin.example 1 2 3 4 5"}})
        with server.connect() as client:
            client.send(dns.ask(".", "NS", over_tcp=True)).expect(dns.response("NOERROR", name="."))
            client.send(dns.ask(".", "SOA", over_tcp=True)).expect(dns.response("NOERROR", name="."))

        assert [len(each.reply_message.answers) for each in server.requests] == [1, 1]
