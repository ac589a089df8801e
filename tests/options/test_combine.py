"""Classes put together from their parts."""

from __future__ import annotations

import pickle
import socket
from typing import Any

import pytest

import windsock
from windsock import servers


class CountingMixIn:
    """A mix-in of a user's: counts what it verifies."""

    count = 0

    def verify_request(self, request: Any, client_address: Any) -> bool:
        self.count += 1
        verified: bool = super().verify_request(request, client_address)  # type: ignore[misc]
        return verified


class Other:
    class CountingMixIn:
        """Another one of the same name."""


def test_without_mix_ins_it_is_the_familys_own_class() -> None:
    assert windsock.combine(transport="udp", concurrency="forking") is servers.ForkingUDPServer


def test_the_name_and_the_order_are_as_a_person_would_write_them() -> None:
    made = windsock.combine(transport="tcp", concurrency="threading", mixins=[CountingMixIn])

    assert made.__name__ == "CountingThreadingTCPServer"
    assert made.__bases__ == (CountingMixIn, servers.ThreadingTCPServer)


def test_the_same_question_gets_the_same_class() -> None:
    first = windsock.combine(transport="unix_stream", mixins=[CountingMixIn])

    assert windsock.combine(transport="unix_stream", mixins=(CountingMixIn,)) is first


def test_it_can_be_pickled_by_its_name() -> None:
    made = windsock.combine(concurrency="forking", mixins=[CountingMixIn])

    assert pickle.loads(pickle.dumps(made)) is made


def test_it_serves() -> None:
    made = windsock.combine(concurrency="threading", mixins=[CountingMixIn])

    with windsock.serving(made).echo() as server:
        with socket.create_connection(server.address, timeout=5) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"

        assert server.server.count == 1


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"transport": "sctp"},
            "transport='sctp': expected one of 'tcp', 'udp', 'unix_stream', 'unix_datagram', 'unix_seqpacket'",
        ),
        ({"mixins": ["TLS"]}, "mixins=['TLS']: expected classes, such as windsock.security.TLSMixIn"),
        (
            {"mixins": [servers.UDPServer]},
            "mixins=[UDPServer]: it is a server class; expected mix-ins, which have no socket",
        ),
        ({"mixins": [servers.ThreadingMixIn]}, "mixins=[ThreadingMixIn]: pass concurrency= for it"),
    ],
    ids=lambda each: str(each)[:20],
)
def test_what_can_not_be_combined_is_said(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(windsock.UsageError) as caught:
        windsock.combine(**parts)

    assert str(caught.value) == message


def test_two_mix_ins_of_one_name_are_told_apart() -> None:
    windsock.combine(transport="udp", mixins=[CountingMixIn])

    with pytest.raises(windsock.UsageError, match="CountingUDPServer is taken by other mix-ins of the same names"):
        windsock.combine(transport="udp", mixins=[Other.CountingMixIn])


@pytest.mark.parametrize("tls", [None, True])
@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_a_server_has_the_mix_ins_that_were_asked_for(concurrency: str, tls: bool | None) -> None:
    class Counting:
        count = 0

        def verify_request(self, request: Any, client_address: Any) -> bool:
            self.count += 1
            return True

    with windsock.serving(mixins=[Counting], concurrency=concurrency, tls=tls).echo() as server:
        with server.connect() as client:
            client.send(b"x").expect(b"x")

        assert server.server.count == 1
        assert "Counting" in type(server.server).__name__


def test_mix_ins_of_the_same_name_make_different_classes() -> None:
    one, other = (type("OnceMixIn", (), {"number": number}) for number in (1, 2))

    with windsock.serving(mixins=[one]) as first, windsock.serving(mixins=(other,)) as second:
        assert (first.server.number, second.server.number) == (1, 2)
