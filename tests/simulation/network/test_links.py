"""What links do to traffic: time, bandwidth and faults. No test waits: the clock is moved."""

from __future__ import annotations

import errno
import select
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.network.simulated import Clock
from windsock.errors import UsageError
from windsock.faults import Delay, Drop, Duplicate, Fault, Mtu, Rate, Rebind, Refuse, Reset, Segment, Stall, Truncate
from windsock.simulation.network import Host, Network, SimulatedSocket


def connect(client: Host, server: Host, clock: Clock) -> tuple[SimulatedSocket, SimulatedSocket]:
    """Return both ends of a connection, at the time at which the server's end is accepted."""
    listener = server.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("0.0.0.0", 0))
    listener.listen(5)
    made = client.socket(socket.AF_INET, socket.SOCK_STREAM)
    address = (server.name, listener.getsockname()[1])
    with pytest.raises(BlockingIOError):
        made.connect(address)
    while not listener.events():
        assert clock.step()
    made.connect(address)
    return made, listener.accept()[0]


def received(end: SimulatedSocket) -> bytes | str:
    try:
        return end.recv(65536)
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def datagram_sockets(hosts: tuple[Host, Host]) -> tuple[SimulatedSocket, SimulatedSocket]:
    client, server = (each.socket(socket.AF_INET, socket.SOCK_DGRAM) for each in hosts)
    server.bind(("db.internal", 53))
    client.connect(("db.internal", 53))
    return client, server


def datagrams(end: SimulatedSocket) -> list[Any]:
    return [*iter(lambda: received(end), "EAGAIN")]


def test_a_name_is_the_address_of_its_host(network: Network, hosts: tuple[Host, Host]) -> None:
    assert network.addresses("DB.internal.") == hosts[1].addresses
    assert network.host("Db.Internal") is hosts[1]
    assert network.addresses("localhost") == ("127.0.0.1", "::1")
    with pytest.raises(socket.gaierror, match="not known"):
        network.addresses("elsewhere")
    with pytest.raises(UsageError, match="expected the name of a host"):
        network.host("10.0.0.7")


def test_hosts_reach_each_other_and_not_each_others_loopback(hosts: tuple[Host, Host], clock: Clock) -> None:
    app, db = hosts
    client, server = connect(app, db, clock)
    beside = app.socket(socket.AF_INET, socket.SOCK_STREAM)
    with pytest.raises(BlockingIOError):
        beside.connect(("127.0.0.1", server.getsockname()[1]))

    assert server.getpeername()[0] == app.addresses[0] == client.getsockname()[0]
    assert beside.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_an_address_of_no_host_is_unreachable(hosts: tuple[Host, Host]) -> None:
    with pytest.raises(OSError, match="unreachable"):
        hosts[0].socket(socket.AF_INET, socket.SOCK_STREAM).connect(("192.0.2.1", 80))


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 5000), max_size=15),
    st.sampled_from([0.0, 0.01]),
    st.sampled_from([None, 100_000.0]),
    st.lists(st.sampled_from([Delay(0.05), Segment(7), Rate(50_000), Delay(0.01, jitter=0.02)]), max_size=3),
)
def test_what_a_small_receive_buffer_takes_arrives_complete_and_in_order(
    sizes: list[int], latency: float, bandwidth: float | None, faults: list[Fault]
) -> None:
    clock = Clock()
    network = Network(clock, seed=7)
    app, db = network.host("app.internal"), network.host("db.internal")
    network.link(app, db).set(latency=latency, bandwidth=bandwidth)
    for fault in faults:
        network.link(app, db).streams.install(fault)
    client, server = connect(app, db, clock)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1000)
    sent = b"".join(index.to_bytes(2, "big") * size for index, size in enumerate(sizes))

    assert client.send(sent) == len(sent)
    client.close()
    arrived = b""
    while (data := received(server)) != b"":
        arrived += data if isinstance(data, bytes) else b""
        assert data != "EAGAIN" or clock.step()

    assert arrived == sent


def test_latency_delays_the_handshake_and_the_data(network: Network, hosts: tuple[Host, Host], clock: Clock) -> None:
    network.link(*hosts).set(latency=0.05)
    client, server = connect(*hosts, clock)
    accepted = clock.now() - 100

    client.send(b"ping")
    clock.advance(0.049)
    early = received(server)
    clock.advance(0.002)

    assert (round(accepted, 3), early, received(server)) == (0.15, "EAGAIN", b"ping")


def test_bandwidth_is_shared_by_all_connections_of_a_link(
    network: Network, hosts: tuple[Host, Host], clock: Clock
) -> None:
    first, first_end = connect(*hosts, clock)
    second, second_end = connect(*hosts, clock)
    network.link(*hosts).set(bandwidth=1000)

    first.send(bytes(1000))
    second.send(bytes(1000))
    clock.advance(1.5)
    halfway = received(first_end), received(second_end)
    clock.advance(1)

    assert halfway == (bytes(1000), "EAGAIN")
    assert received(second_end) == bytes(1000)


def test_the_end_of_a_stream_does_not_overtake_its_data(
    network: Network, hosts: tuple[Host, Host], clock: Clock
) -> None:
    client, server = connect(*hosts, clock)
    network.link(*hosts).set(latency=1)
    client.send(b"slow")
    network.link(*hosts).set(latency=0)
    client.close()

    early = received(server)
    clock.advance(1)

    assert [early, received(server), received(server)] == ["EAGAIN", b"slow", b""]


def test_a_full_queue_is_tried_again_and_times_out_at_last(network: Network, clock: Clock) -> None:
    listener, *clients = (network.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(4))
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for each in clients:
        with pytest.raises(BlockingIOError):
            each.connect(listener.getsockname())
    listener.accept()
    clock.advance(1)
    repeated = clients[1].getpeername() == listener.getsockname()
    clock.advance(130)

    assert repeated
    with pytest.raises(TimeoutError):
        clients[2].connect(listener.getsockname())


def test_a_client_that_leaves_during_the_handshake_is_not_accepted(
    network: Network, hosts: tuple[Host, Host], clock: Clock
) -> None:
    network.link(*hosts).set(latency=1)
    client, listener, again = (each.socket(socket.AF_INET, socket.SOCK_STREAM) for each in (*hosts, hosts[1]))
    listener.bind(("db.internal", 80))
    listener.listen(5)
    with pytest.raises(BlockingIOError):
        client.connect(("db.internal", 80))
    clock.advance(1.5)
    client.close()
    clock.advance(5)
    events = listener.events()
    listener.close()

    assert events == 0
    again.bind(("db.internal", 80))


def test_a_fault_delays_one_direction(network: Network, hosts: tuple[Host, Host], clock: Clock) -> None:
    delay = network.link(*hosts).streams.install(Delay(2), direction="downstream")
    client, server = connect(*hosts, clock)

    client.send(b"ping")
    server.send(b"pong")
    early = received(server), received(client)
    clock.advance(2)

    assert early == (b"ping", "EAGAIN")
    assert received(client) == b"pong"
    assert [firing.at for firing in delay.log] == [100.0]


def test_a_fault_resets_both_ends_after_some_bytes(network: Network, hosts: tuple[Host, Host], clock: Clock) -> None:
    network.link(*hosts).streams.install(Reset(after_bytes=3), direction="upstream")
    client, server = connect(*hosts, clock)

    client.send(b"abcdef")

    assert [received(server), received(server), received(client), received(client)] == [
        b"abc",
        "ECONNRESET",
        "ECONNRESET",
        b"",
    ]


def test_a_fault_ends_a_stream_early_and_resets_what_follows(
    network: Network, hosts: tuple[Host, Host], clock: Clock
) -> None:
    network.link(*hosts).streams.install(Truncate(after_bytes=3, then="close"), direction="upstream")
    client, server = connect(*hosts, clock)

    client.send(b"abcdef")
    ends = [received(server), received(server), received(client)]
    client.send(b"more")

    assert ends == [b"abc", b"", b""]
    with pytest.raises(BrokenPipeError):
        client.send(b"x")


def test_a_fault_that_stops_reading_fills_the_senders_buffer(
    network: Network, hosts: tuple[Host, Host], clock: Clock
) -> None:
    stall = network.link(*hosts).streams.install(Stall(), direction="upstream")
    client, server = connect(*hosts, clock)
    sent = 0
    while client.events() & select.POLLOUT:
        sent += client.send(bytes(65536))

    during = received(server)
    stall.heal()
    arrived = 0
    while isinstance(data := received(server), bytes):
        arrived += len(data)

    assert (during, arrived) == ("EAGAIN", sent)


def test_urgent_data_passes_faults(network: Network, hosts: tuple[Host, Host], clock: Clock) -> None:
    network.link(*hosts).streams.install(Delay(1))
    client, server = connect(*hosts, clock)

    client.send(b"abc!", socket.MSG_OOB)
    client.send(b"def")
    clock.advance(1)

    assert [server.recv(1, socket.MSG_OOB), received(server), received(server)] == [b"!", b"abc", b"def"]


def test_faults_choose_connections_of_a_link(network: Network, hosts: tuple[Host, Host], clock: Clock) -> None:
    fault = network.link(*hosts).streams.install(Reset(after_bytes=1), connections=1, direction="upstream")
    pairs = [connect(*hosts, clock) for _ in range(3)]
    for client, _ in pairs:
        client.send(b"ab")

    assert [received(server) for _, server in pairs] == [b"ab", b"a", b"ab"]
    assert fault.fired == 1


def test_datagrams_are_lost_doubled_and_delayed(network: Network, hosts: tuple[Host, Host], clock: Clock) -> None:
    faults = network.link(*hosts).datagrams
    faults.install(Drop(2), direction="upstream")
    faults.install(Duplicate(), direction="upstream")
    faults.install(Delay(1), direction="downstream")
    client, server = datagram_sockets(hosts)
    for data in (b"1", b"2", b"3"):
        client.send(data)
    server.sendto(b"answer", 0, client.getsockname())

    early = datagrams(client)
    clock.advance(1)

    assert datagrams(server) == [b"1", b"1", b"3", b"3"]
    assert (early, datagrams(client)) == ([], [b"answer"])


def test_the_sender_of_a_datagram_is_told_that_it_is_too_large_for_the_link(
    network: Network, hosts: tuple[Host, Host]
) -> None:
    network.link(*hosts).datagrams.install(Mtu(100, on_excess="EMSGSIZE"))
    client, server = datagram_sockets(hosts)

    client.send(bytes(101))

    assert (received(client), datagrams(server)) == ("EMSGSIZE", [])


@pytest.mark.parametrize("fault", [Refuse(), Rebind()])
def test_a_fault_that_does_not_act_on_a_link_is_refused(network: Network, hosts: tuple[Host, Host], fault: Any) -> None:
    link = network.link(*hosts)
    faults = link.streams if isinstance(fault, Refuse) else link.datagrams

    with pytest.raises(UsageError, match="install it on a server or a proxy"):
        faults.install(fault)


def test_wrong_values_of_a_link_are_refused(network: Network, hosts: tuple[Host, Host]) -> None:
    link = network.link(*hosts)

    with pytest.raises(UsageError, match="latency=-1: expected 0 or more seconds"):
        link.set(latency=-1)
    with pytest.raises(UsageError, match="bandwidth=0: expected more than 0"):
        link.set(bandwidth=0)
