"""A client that a fault of the listener has turned away."""

from __future__ import annotations

import pytest

from tests.findings.conftest import Conclude
from tests.findings.facts import connection, sentences
from windsock.faults import Firing
from windsock.findings.facts import FailureFacts


def test_the_fault_is_named_and_nothing_else(conclude: Conclude) -> None:
    found = conclude(
        """
    from windsock.faults import BacklogFull, Refuse

    def test_refused(tcp_server):
        with tcp_server.fault(Refuse()):
            client_of(tcp_server)

    def test_full(tcp_server):
        with tcp_server.fault(BacklogFull()):
            client_of(tcp_server, 0.1)

    def test_refused_by_proxy(tcp_server, fault_proxy):
        proxy = fault_proxy(tcp_server.address, faults=[Refuse()])
        client_of(proxy)

    def test_refused_by_another(tcp_server, serve):
        other = serve()
        other.fault(Refuse(), allow_unfired=True)
        tcp_server.stop()
        client_of(tcp_server)

    def test_refused_before(tcp_server):
        with tcp_server.fault(Refuse()), pytest.raises(ConnectionRefusedError):
            client_of(tcp_server)
        tcp_server.echo()
        with client_of(tcp_server, 0.1) as client:
            client.recv(1)
    """
    )

    refused = "tcp_server: Refuse() refused the client's connection"
    assert found["test_refused"] == [refused]
    full = "tcp_server: BacklogFull() had filled the listener's queue, so the client waited in vain to be connected"
    assert found["test_full"] == [full]
    assert found["test_refused_by_proxy"] == ["fault_proxy 1: Refuse() refused the client's connection"]
    assert "Refuse" not in str([*found["test_refused_by_another"], *found["test_refused_before"]])


REFUSED = Firing(1, 2.0, "Refuse()", None, "", 0, "the listener is shut")


@pytest.mark.parametrize(
    ("kind", "tried", "opened"), [("timeout", "", 1.0), ("refused", "127.0.0.1:81", 1.0), ("refused", "", 3.0)]
)
def test_another_failure_another_address_and_a_client_that_came_in_later(kind: str, tried: str, opened: float) -> None:
    failure = FailureFacts(kinds=frozenset({kind}), tried=tried, at=4.0)

    found = sentences(failure, [connection("> x", opened=opened)], firings=(REFUSED,))

    assert "Refuse" not in str(found)


def test_a_client_that_was_there_before_makes_no_difference() -> None:
    failure = FailureFacts(kinds=frozenset({"refused"}), tried="127.0.0.1:80", at=4.0)

    found = sentences(failure, [connection("> x", opened=1.0)], firings=(REFUSED,))

    assert found == ["server: Refuse() refused the client's connection"]
