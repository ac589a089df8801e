"""A server, proxy or program that the test itself had down."""

from __future__ import annotations

import pytest

from tests.findings.conftest import Conclude
from tests.findings.facts import connection, sentences
from windsock.findings.conclusions import findings_in
from windsock.findings.downs import Down, ProgramFacts
from windsock.findings.facts import Case, FailureFacts, ServerFacts

OUTAGE = "tcp_server: outage() had it down until the end of that `with`"
DISCONNECTED = "fault_proxy 1: disconnect() let nothing pass: reconnect() ends that"


def test_the_call_is_named_and_nothing_else(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_refused(tcp_server):
        with tcp_server.outage():
            client_of(tcp_server)

    def test_refused_for_a_while(tcp_server):
        with tcp_server.outage_for(60):
            client_of(tcp_server)

    def test_ended(tcp_server):
        tcp_server.echo()
        with client_of(tcp_server) as client, tcp_server.outage():
            assert client.recv(1) == b"x"

    def test_ended_before(tcp_server):
        tcp_server.echo()
        with client_of(tcp_server) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            with tcp_server.outage():
                pass
            assert client.recv(1) == b"x"

    def test_disconnected(tcp_server, fault_proxy):
        proxy = fault_proxy(tcp_server.echo().address)
        with client_of(proxy, 0.1) as client:
            proxy.disconnect()
            client.sendall(b"x")
            client.recv(1)

    def test_disconnected_before(tcp_server, fault_proxy):
        proxy = fault_proxy(tcp_server.echo().address)
        proxy.disconnect()
        client_of(proxy, 0.1).recv(1)
    """
    )

    anew = "outage() ended the connection, and the client used it again after that: it has to connect anew"
    assert found == {
        "test_refused": [OUTAGE],
        "test_refused_for_a_while": [OUTAGE],
        "test_ended": [OUTAGE],
        "test_ended_before": [f"tcp_server #0: {anew}"],
        "test_disconnected": [DISCONNECTED],
        "test_disconnected_before": [DISCONNECTED],
    }


def test_what_is_over_and_what_is_of_another_is_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_up_again(tcp_server):
        tcp_server.echo()
        with tcp_server.outage():
            pass
        with client_of(tcp_server, 0.1) as client:
            client.recv(1)

    def test_connected_again(tcp_server, fault_proxy):
        proxy = fault_proxy(tcp_server.echo().address)
        proxy.disconnect()
        proxy.reconnect()
        with client_of(proxy, 0.1) as client:
            client.recv(1)

    def test_another_reason(tcp_server):
        with tcp_server.outage():
            assert 1 == 2

    def test_another_server(tcp_server, serve):
        other = serve().echo()
        with tcp_server.outage(), client_of(other, 0.1) as client:
            client.recv(1)
    """
    )

    shown = str(found)
    assert "outage()" not in shown
    assert "disconnect()" not in shown
    assert set(found) == {"test_up_again", "test_connected_again", "test_another_reason", "test_another_server"}


@pytest.mark.parametrize("call", ["pause()", "kill()"])
@pytest.mark.parametrize("kind", ["timeout", "reset", "refused", "end"])
def test_a_program_that_the_test_has_ended_or_paused(call: str, kind: str) -> None:
    program = ProgramFacts("redis", ("127.0.0.1", 80), "127.0.0.1:80", (Down(call, 1.0),))
    failure = FailureFacts(kinds=frozenset({kind}), at=2.0)

    (found,) = findings_in(Case(servers=(), programs=(program,), failure=failure))

    assert found.sentence.startswith(f"redis: {call} had ")


@pytest.mark.parametrize(
    ("down", "kind", "tried"),
    [
        (Down("kill()", 1.0, 2.0), "refused", ""),
        (Down("kill()", 1.0), "other", ""),
        (Down("kill()", 1.0), "refused", "127.0.0.1:81"),
    ],
)
def test_a_program_that_runs_or_that_the_client_did_not_want(down: Down, kind: str, tried: str) -> None:
    program = ProgramFacts("redis", ("127.0.0.1", 80), "127.0.0.1:80", (down,))
    failure = FailureFacts(kinds=frozenset({kind}), tried=tried, at=2.0)

    assert findings_in(Case(servers=(), programs=(program,), failure=failure)) == []


def test_of_a_proxy_before_a_program_nothing_else_is_said() -> None:
    program = ProgramFacts("redis", ("127.0.0.1", 80), "127.0.0.1:80", (Down("pause()", 1.0),))
    passed = connection("> x", peer="127.0.0.1:90")
    proxy = ServerFacts(
        name="proxy of redis",
        address=("127.0.0.1", 81),
        shown="127.0.0.1:81",
        is_proxy=True,
        upstream=("127.0.0.1", 80),
        connections=(passed,),
    )
    failure = FailureFacts(kinds=frozenset({"timeout"}), sockets=("127.0.0.1:90",), at=9.0)

    (found,) = findings_in(Case(servers=(proxy,), programs=(program,), failure=failure))

    assert found.sentence.startswith("redis: pause()")


def test_a_connection_that_the_client_had_closed_before_an_outage_was_not_ended_by_it() -> None:
    ended = connection("> x", "< y", server_end=1.5, closed=1.5)
    failure = FailureFacts(kinds=frozenset({"end"}), at=9.0)

    found = sentences(failure, [ended], downs=(Down("outage()", 2.0, 3.0),))

    assert "outage()" not in str(found)


def test_the_server_behind_a_proxy_that_was_down_is_no_other_one() -> None:
    server, proxy = ("127.0.0.1", 80), ("127.0.0.1", 81)
    behind = ServerFacts(
        name="tcp_server",
        address=server,
        shown="127.0.0.1:80",
        connections=(connection(peer="127.0.0.1:91"),),
    )
    before = ServerFacts(
        name="fault_proxy 1",
        address=proxy,
        shown="127.0.0.1:81",
        is_proxy=True,
        upstream=server,
        connections=(connection("> x", peer="127.0.0.1:90"),),
        downs=(Down("disconnect()", 1.0),),
    )
    failure = FailureFacts(kinds=frozenset({"timeout"}), sockets=("",), at=9.0)

    found = findings_in(Case(servers=(behind, before), programs=(), failure=failure))

    assert [each.sentence for each in found] == [DISCONNECTED]
