"""What a relay does with data that faults hold back, and with ends that take nothing."""

from __future__ import annotations

import select
import socket
from typing import Any

import pytest

from tests.support.carriers import Sender, door, fill
from tests.support.servers import receive, rest_of
from tests.support.waiting import DEADLINE, HOUR
from windsock.faults import Fault
from windsock.faults.items import Data
from windsock.faults.kinds.delay import Delay
from windsock.faults.kinds.half_close import HalfClose
from windsock.faults.kinds.hold import Hold
from windsock.faults.kinds.inject import Inject
from windsock.faults.kinds.reset import Reset
from windsock.faults.kinds.stall import Stall
from windsock.net import sockets
from windsock.relay.direction import MOST_PENDING

MIB = 1 << 20


@pytest.mark.parametrize(
    ("fault", "least", "most"), [(Hold(), MOST_PENDING, MOST_PENDING + 32 * MIB), (Stall(), 1, 32 * MIB)]
)
def test_what_is_held_back_is_bounded(fault: Fault, least: int, most: int) -> None:
    with door("tcp") as made, made.connection() as (client, request):
        installed = made.fault_set.install(fault, direction="upstream")
        size = fill(client)

        assert least <= size < most
        installed.heal()
        client.shutdown(socket.SHUT_WR)
        assert len(rest_of(request)) == size


def test_a_delay_does_not_hold_the_sender_back() -> None:
    with door("tcp") as made, made.connection() as (client, request):
        delay = made.fault_set.install(Delay(HOUR), direction="upstream")
        client.sendall(bytes(16 * MIB))
        assert select.select([request], [], [], 0)[0] == []

        delay.heal()
        assert len(receive(request, 16 * MIB)) == 16 * MIB


def test_a_flushing_reset_waits_until_all_was_taken() -> None:
    with door("tcp") as made, made.connection() as (client, request):
        made.fault_set.install(Reset(4 * MIB, flush=True), direction="downstream")
        sender = Sender(request, bytes(5 * MIB))
        assert len(receive(client, 4 * MIB)) == 4 * MIB
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        sender.wait()


def test_a_fault_that_waits_for_nothing_acts_on_a_silent_connection() -> None:
    with door("tcp") as made, made.connection() as (client, _):
        made.fault_set.install(Reset(), after=0.05)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_half_close_by_a_fault_leaves_the_other_way_open() -> None:
    with door("tcp") as made, made.connection() as (client, request):
        made.fault_set.install(HalfClose(), direction="downstream")
        assert client.recv(1) == b""
        client.sendall(b"still talking")
        assert request.recv(100) == b"still talking"


def test_what_a_fault_injects_arrives_unasked() -> None:
    with door("tcp") as made, made.connection() as (client, _):
        made.fault_set.install(Inject(b"surprise"), direction="downstream")
        assert receive(client, 8) == b"surprise"


def test_each_piece_is_written_by_a_call_of_its_own() -> None:
    sizes: list[int] = []

    def halve(item: Data, link: Any) -> list[Data]:
        middle = len(item.data) // 2
        return [Data(item.at, item.data[:middle]), Data(item.at + 0.03, item.data[middle:])]

    with door("tcp") as made, made.connection() as (client, request):
        made.fault_set.install(halve, direction="upstream")
        client.sendall(b"12345678")
        while sum(sizes) < 8:
            sizes.append(len(request.recv(100)))
        assert sizes == [4, 4]


def test_relays_can_be_stopped_again() -> None:
    with door("tcp") as made:
        made.relay_loop.stop(DEADLINE)
        made.relay_loop.stop(DEADLINE)


@pytest.mark.parametrize("changes", [0, 20])
def test_a_flushing_reset_that_waits_looks_seldom(monkeypatch: pytest.MonkeyPatch, changes: int) -> None:
    looks: list[int] = []
    unacknowledged = sockets.unacknowledged

    def look(sock: socket.socket) -> int:
        looks.append(unacknowledged(sock))
        return looks[-1]

    monkeypatch.setattr(sockets, "unacknowledged", look)
    with door("unix_stream") as made, made.connection() as (client, _):
        made.fault_set.install(Reset(1000, flush=True), direction="upstream")
        client.sendall(bytes(1000))
        for _ in range(changes):
            made.fault_set.install(Hold(), connections=77)
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert 5 < len(looks) < 60
