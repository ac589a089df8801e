"""Random scripts of calls at both ends of a connection: the kernel and the simulated network do the same.

After each call the test waits until the kernel has delivered what the network says has arrived.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Any, TypeAlias

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.simulation.network.kernel import Kernel
from tests.simulation.network.simulated import Simulated
from tests.simulation.network.worlds import End, World

EXAMPLES = int(os.environ.get("WINDSOCK_EXAMPLES", "300" if os.environ.get("CI") else "60"))
NO_LINGER = struct.pack("ii", 1, 0)

Call: TypeAlias = tuple[int, str, tuple[Any, ...]]
"""The number of the end, the name of a method, and its arguments."""

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the network is Linux's"),
    pytest.mark.timeout(300),  # for as many examples as are asked for
]
often = settings(max_examples=EXAMPLES, derandomize=True)
"""The same scripts in each run, and other ones with another number of examples."""

ends = st.integers(0, 1)
sizes = st.integers(1, 40)
sends = st.tuples(ends, st.just("send"), st.tuples(sizes.map(lambda size: bytes(range(size)))))
receives = st.tuples(ends, st.just("recv"), st.tuples(sizes))
peeks = st.tuples(ends, st.just("recv"), st.tuples(sizes, st.just(int(socket.MSG_PEEK))))
messages = st.tuples(ends, st.just("recvmsg"), st.tuples(sizes))
shutdowns = st.tuples(ends, st.just("shutdown"), st.tuples(st.integers(0, 2)))
errors = st.tuples(ends, st.just("getsockopt"), st.just((socket.SOL_SOCKET, socket.SO_ERROR)))
names = st.tuples(ends, st.sampled_from(["getpeername", "close"]), st.just(()))
urgent = st.one_of(
    st.tuples(ends, st.just("send"), st.tuples(sizes.map(bytes), st.just(int(socket.MSG_OOB)))),
    st.tuples(ends, st.just("recv"), st.just((1, int(socket.MSG_OOB)))),
    st.tuples(ends, st.just("at_mark"), st.just(())),
    st.tuples(ends, st.just("setsockopt"), st.tuples(st.just(1), st.just(socket.SO_OOBINLINE), st.integers(0, 1))),
)
half_closes = st.tuples(ends, st.just("shutdown"), st.just((socket.SHUT_WR,)))
resets = st.tuples(ends, st.just("reset"), st.just(()))
calls = st.one_of(sends, receives, sends, receives, peeks, messages, errors, names)
common = st.one_of(calls, shutdowns)


class Run:
    """A script on one world: what each call returned, and the state of both ends after it."""

    def __init__(self, world: World, ends: tuple[End, End]) -> None:
        self.world = world
        self.ends: list[End | None] = list(ends)

    def call(self, call: Call) -> Any:
        number, name, arguments = call
        end = self.ends[number]
        if end is None:
            return "closed"
        if name == "reset":
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        if name in ("close", "reset"):
            self.ends[number] = None
            return end.close()
        result = getattr(end, name)(*arguments)
        if result == "EAGAIN" and name.startswith("recv") and self.blocks_for_nothing(end):
            return b"" if name == "recv" else (b"", [], 0, None)
        return without_ports(result)

    def blocks_for_nothing(self, end: End) -> bool:
        """Return whether Linux says EAGAIN to non-blocking calls alone: a blocking one returns b"" (the first row of
        the table of differences)."""
        is_datagram = end.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_DGRAM
        return is_datagram and "RDHUP" in end.events()

    def state(self) -> list[Any]:
        return [None if each is None else (each.events(), each.unread()) for each in self.ends]


def without_ports(result: Any) -> Any:
    """Return a result with True in the place of addresses, whose ports differ."""
    if not isinstance(result, tuple):
        return result
    return tuple(isinstance(each, tuple) or each for each in result) if isinstance(result[0], bytes) else True


def pair(world: World, kind: str) -> tuple[End, End]:
    if kind == "tcp":
        return world.pair()
    if kind == "udp":
        first, second = world.bound_udp(), world.bound_udp()
        first.connect(second.address)
        second.connect(first.address)
        return first, second
    return world.unix_pair(getattr(socket, kind))


def check(kind: str, script: list[Call]) -> None:
    with Kernel() as kernel, Simulated() as simulated:
        expected, actual = Run(kernel, pair(kernel, kind)), Run(simulated, pair(simulated, kind))
        for call in script:
            result = actual.call(call)
            note(f"{call} -> {result}, then {actual.state()}")

            assert result == expected.call(call)
            kernel.wait(lambda: actual.state() == expected.state())


@often
@given(st.lists(st.one_of(common, resets), max_size=25))
def test_tcp_connections(script: list[Call]) -> None:
    check("tcp", script)


@often
@given(st.lists(st.one_of(calls, half_closes, urgent, urgent), max_size=25))
def test_tcp_connections_with_urgent_data(script: list[Call]) -> None:
    check("tcp", script)


@often
@given(st.lists(common, max_size=25))
def test_connected_udp_sockets(script: list[Call]) -> None:
    check("udp", script)


@often
@given(st.sampled_from(["SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"]), st.lists(common, max_size=25))
def test_pairs_of_unix_sockets(kind: str, script: list[Call]) -> None:
    check(kind, script)
