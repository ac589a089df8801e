"""Servers for IPv4 and IPv6 at once: host="localhost", dual-stack host="::", and IPv4-mapped addresses."""

from __future__ import annotations

import socket
from itertools import product

import pytest

import windsock
from tests.support.waiting import DEADLINE
from windsock.faults import Refuse
from windsock.harness import CONCURRENCIES
from windsock.net import sockets
from windsock.net.addresses import is_loopback, unmapped
from windsock.security import AccessMixIn

FAMILIES = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

on_every_ip_kind = pytest.mark.parametrize(("transport", "concurrency"), list(product(KINDS, CONCURRENCIES)))


@pytest.fixture(autouse=True)
def both_families() -> None:
    probe = sockets.on_both_loopbacks(socket.SOCK_STREAM)
    if probe is None:
        pytest.skip("needs IPv6, and SO_BINDTODEVICE")
    probe.close()


def ask(family: int, server: windsock.RunningServer, host: str, data: bytes = b"hello\n") -> bytes:
    with socket.socket(family, KINDS[server.options.transport]) as client:
        client.settimeout(DEADLINE)
        client.connect((host, server.port))
        client.sendall(data)
        return client.recv(100)


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])
@on_every_ip_kind
def test_localhost_is_at_both_addresses_on_one_port(transport: str, concurrency: str, relay: bool) -> None:
    given = {"transport": transport, "concurrency": concurrency}
    with windsock.serving(host="localhost", framing="lines", relay=relay, **given) as server:  # type: ignore[arg-type]
        server.echo()

        assert server.host == "127.0.0.1"
        assert [ask(family, server, host) for family, host in FAMILIES.items()] == [b"hello\n"] * 2
        assert [unmapped(each.peer[0]) for each in server.connections] == list(FAMILIES.values())


@on_every_ip_kind
def test_localhost_refuses_both_families_during_an_outage(transport: str, concurrency: str) -> None:
    given = {"transport": transport, "concurrency": concurrency}
    with windsock.serving(host="localhost", framing="lines", **given).echo() as server:  # type: ignore[arg-type]
        with server.outage():
            for family, host in FAMILIES.items():
                with pytest.raises(ConnectionRefusedError):
                    ask(family, server, host)

        assert [ask(family, server, host) for family, host in FAMILIES.items()] == [b"hello\n"] * 2


def test_a_fault_that_refuses_clients_refuses_those_of_both_families() -> None:
    with windsock.serving(host="localhost", framing="lines").echo() as server:
        with server.fault(Refuse(), allow_unfired=True):
            for family, host in FAMILIES.items():
                with pytest.raises(ConnectionRefusedError):
                    ask(family, server, host)

        assert [ask(family, server, host) for family, host in FAMILIES.items()] == [b"hello\n"] * 2


@pytest.mark.parametrize("tls", [True, "mutual"])
def test_localhost_speaks_tls_at_both_addresses(tls: bool | str) -> None:
    with windsock.serving(host="localhost", tls=tls, framing="lines").echo() as server:
        for host in FAMILIES.values():
            with (
                socket.create_connection((host, server.port), timeout=DEADLINE) as plain,
                server.client_context().wrap_socket(plain, server_hostname=host) as client,
            ):
                client.sendall(b"hello\n")
                assert client.recv(100) == b"hello\n"


@pytest.mark.parametrize(("family", "host"), FAMILIES.items())
def test_a_port_that_one_family_uses_is_not_taken_for_localhost(family: int, host: str) -> None:
    with socket.socket(family) as other:
        other.bind((host, 0))
        other.listen()

        with pytest.raises(windsock.StartError, match="in use"):
            windsock.serving(host="localhost", port=other.getsockname()[1])


def test_a_server_at_localhost_is_not_at_other_addresses_of_the_machine() -> None:
    probe = sockets.on_both_loopbacks(socket.SOCK_STREAM)
    assert probe is not None
    with probe:
        assert probe.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"


def test_a_pair_at_localhost_is_at_both_addresses() -> None:
    with windsock.serving_pair(host="localhost", framing="lines") as pair:
        pair.echo()

        for family, host in FAMILIES.items():
            assert ask(family, pair.tcp, host) == b"hello\n"
            assert ask(family, pair.udp, host) == b"hello\n"


@pytest.mark.parametrize("transport", KINDS)
def test_a_dual_stack_server_takes_clients_of_both_families(transport: str) -> None:
    with windsock.serving(transport=transport, host="::", allow_external=True, framing="lines").echo() as server:
        assert [ask(family, server, host) for family, host in FAMILIES.items()] == [b"hello\n"] * 2
        with server.connect() as client:
            client.send(b"ours\n").expect(b"ours\n")


def test_a_dual_stack_server_needs_allow_external() -> None:
    with pytest.raises(windsock.UsageError, match="can be reached from other machines"):
        windsock.serving(host="::")


@pytest.mark.parametrize("transport", KINDS)
def test_a_server_at_a_mapped_loopback_address_is_at_the_ipv4_one(transport: str) -> None:
    with windsock.serving(transport=transport, host="::ffff:127.0.0.1", framing="lines").echo() as server:
        assert ask(socket.AF_INET, server, "127.0.0.1") == b"hello\n"
        with server.connect() as client:
            client.send(b"ours\n").expect(b"ours\n")


def test_a_client_reaches_an_ipv4_server_by_its_mapped_address() -> None:
    with (
        windsock.serving(framing="lines").echo() as server,
        windsock.scripted_client(("::ffff:127.0.0.1", server.port)) as client,
    ):
        client.send(b"hello\n").expect(b"hello\n")


def test_a_proxy_reaches_an_ipv4_server_by_its_mapped_address() -> None:
    with (
        windsock.serving(framing="lines").echo() as server,
        windsock.proxy(("::ffff:127.0.0.1", server.port)) as proxy,
        windsock.scripted_client(proxy.address) as client,
    ):
        client.send(b"hello\n").expect(b"hello\n")


def test_access_control_knows_a_mapped_client_by_its_ipv4_address() -> None:
    class Guarded(AccessMixIn, windsock.combine(concurrency="threading")):  # type: ignore[misc]
        allowed_networks = ("127.0.0.0/8",)

    with windsock.serving(Guarded, host="localhost", framing="lines").echo() as server:
        assert ask(socket.AF_INET, server, "127.0.0.1") == b"hello\n"
        assert ask(socket.AF_INET6, server, "::1") == b""


def test_a_forked_child_has_no_copy_of_a_client_that_came_by_a_mapped_address() -> None:
    with windsock.serving(concurrency="forking", framing="lines") as server:
        server.echo()
        with socket.socket(socket.AF_INET6) as client:
            client.settimeout(DEADLINE)
            client.connect(("::ffff:127.0.0.1", server.port))
            client.sendall(b"hello\n")
            assert client.recv(100) == b"hello\n"
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::FFFF:7f00:1", "127.0.0.1"),
        ("::1", "::1"),
        ("::ffff:nonsense", "::ffff:nonsense"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_unmapped_addresses(host: str, expected: str) -> None:
    assert unmapped(host) == expected


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("::ffff:127.0.0.1", True), ("::ffff:10.0.0.1", False), ("LOCALHOST.", True), ("::", False), ("::1%lo", True)],
)
def test_what_counts_as_loopback(host: str, is_it: bool) -> None:
    assert is_loopback(host) == is_it


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_udp_server_at_every_address_is_at_every_address_after_an_outage(host: str) -> None:
    with windsock.serving(transport="udp", host=host, allow_external=True).echo() as server:
        name = server.server.socket.getsockname()
        with server.outage():
            pass

        assert server.server.socket.getsockname() == name
