"""Faults of a TLS handshake that passes a relay, or ends at a proxy: what a client makes of them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.proxies.test_tls import Doing, server_tls
from tests.support.carriers import connected, listening
from tests.support.waiting import DEADLINE
from windsock.faults import Fault
from windsock.faults.kinds.tls_alert import TLSAlert
from windsock.faults.kinds.tls_plaintext import TLSPlaintext
from windsock.faults.kinds.tls_stall import TLSStall
from windsock.faults.kinds.tls_truncate import TLSTruncate
from windsock.proxies.proxy import FaultProxy
from windsock.relay.handshake_faults import Records
from windsock.security import certificates

pytest.importorskip("trustme")

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
on_every_version = pytest.mark.parametrize("version", list(VERSIONS))
on_both_proxies = pytest.mark.parametrize("is_terminated", [False, True], ids=["passed", "terminated"])


@contextmanager
def proxied(*, is_terminated: bool, reply: bytes = b"reply") -> Iterator[FaultProxy]:
    """A proxy to a server that says something in TLS, and then the end of it."""
    context = server_tls()
    with listening("tcp") as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            accepted.settimeout(DEADLINE)
            try:
                end: Any = accepted if is_terminated else context.wrap_socket(accepted, server_side=True)
                end.recv(100)
                end.sendall(reply)
                if not is_terminated:
                    end.unwrap()
                accepted = end
            except OSError:
                pass
            finally:
                accepted.close()
                if "end" in locals():
                    end.close()

        with FaultProxy(listener.getsockname(), tls=context if is_terminated else None) as proxy:
            serving = Doing(serve)
            yield proxy
        serving.wait()


def talk(proxy: FaultProxy, version: str = "1.3", seconds: float = DEADLINE) -> bytes:
    """Ask something in TLS; return the answer. An end without close_notify is an error."""
    context = certificates.client_context(certificate=False)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    with connected(socket.AF_INET, proxy.address) as plain:
        plain.settimeout(seconds)
        with context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as client:
            client.sendall(b"question")
            answer = b""
            while piece := client.recv(100):
                answer += piece
            return answer


@on_both_proxies
@on_every_version
def test_without_a_fault_all_is_well(is_terminated: bool, version: str) -> None:
    with proxied(is_terminated=is_terminated) as proxy:
        proxy.fault(TLSStall(), connections=7, allow_unfired=True)
        assert talk(proxy, version) == b"reply"


@on_both_proxies
@pytest.mark.parametrize("stage", ["client_hello", "server_hello", "finished"])
@on_every_version
def test_a_stalled_handshake_keeps_the_client_waiting(is_terminated: bool, stage: str, version: str) -> None:
    with proxied(is_terminated=is_terminated) as proxy:
        fault = proxy.fault(TLSStall(stage))
        with pytest.raises(TimeoutError):
            talk(proxy, version, seconds=0.3)
        assert fault.fired == 1


@on_both_proxies
@on_every_version
@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (TLSAlert("handshake_failure"), ssl.SSLError, "(?i)alert.handshake.failure"),
        (TLSPlaintext(b"220 hello\r\n"), ssl.SSLError, "(?i)wrong.version.number|record layer"),
        (TLSTruncate(), ssl.SSLEOFError, "EOF"),
    ],
    ids=repr,
)
def test_what_becomes_of_the_handshake_is_the_clients_error(
    is_terminated: bool, version: str, fault: Fault, error: type[Exception], words: str
) -> None:
    with proxied(is_terminated=is_terminated) as proxy:
        proxy.fault(fault)
        with pytest.raises(error, match=words):
            talk(proxy, version)


@pytest.mark.parametrize("stage", ["server_hello", "finished"])
@on_every_version
def test_a_late_alert_is_an_error_too(stage: str, version: str) -> None:
    with proxied(is_terminated=False) as proxy:
        proxy.fault(TLSAlert(stage=stage))
        with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
            talk(proxy, version)


def test_truncated_after_some_data() -> None:
    with proxied(is_terminated=False, reply=bytes(100_000)) as proxy:
        proxy.fault(TLSTruncate(20_000))
        with pytest.raises(ssl.SSLEOFError):
            talk(proxy)


def test_what_is_no_tls_is_let_through() -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname()) as proxy:
        proxy.fault(TLSStall(), allow_unfired=True)
        with connected(socket.AF_INET, proxy.address) as client:
            server, _ = listener.accept()
            with server:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert server.recv(100) == b"GET / HTTP/1.0\r\n\r\n"


def test_records_are_cut_wherever_they_were_cut_before() -> None:
    stream = bytes([22, 3, 3, 0, 3]) + b"abc" + bytes([23, 3, 3, 0, 0]) + bytes([21, 3, 3, 0, 2]) + b"\2\50"
    for size in range(1, len(stream)):
        records = Records()
        found = [each for at in range(0, len(stream), size) for each in records.feed(stream[at : at + size])]
        assert [each[0] for each in found] == [22, 23, 21]
        assert b"".join(found) == stream
    assert records.feed(b"\x16\3") == []
    assert records.rest() == b"\x16\3"
