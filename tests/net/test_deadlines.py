"""Durations: what can be one, and what the calls that wait are told."""

from __future__ import annotations

import math
import select
import socket
import threading

import pytest

from windsock.net.deadlines import LONGEST, capped, is_seconds, milliseconds

NO_DURATIONS = [-1, -0.001, math.nan, math.inf, -math.inf, 10**400, "5", b"5", True, False, None, 1j]


@pytest.mark.parametrize("value", [0, 0.0, 1, 0.5, 1e12, 1e300, 10**300])
def test_a_finite_number_from_0_up_is_a_duration(value: float) -> None:
    assert is_seconds(value)


@pytest.mark.parametrize("value", NO_DURATIONS, ids=lambda value: repr(value)[:10])
def test_anything_else_is_none(value: object) -> None:
    assert not is_seconds(value)


@pytest.mark.parametrize("seconds", [1e12, 1e300, 10**300, math.inf], ids=["1e12", "1e300", "int", "inf"])
def test_every_call_that_waits_takes_a_capped_duration(seconds: float) -> None:
    with socket.socket() as sock:
        sock.settimeout(capped(seconds))
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.send(b"!")
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        assert poll.poll(milliseconds(seconds))
        assert select.select([reader], [], [], capped(seconds))[0]
    lock = threading.Lock()
    assert lock.acquire(timeout=capped(seconds))
    condition = threading.Condition()
    with condition:
        timer = threading.Timer(0, lambda: _notify(condition))
        timer.start()
        assert condition.wait(capped(seconds))
    timer.join(capped(seconds))


def _notify(condition: threading.Condition) -> None:
    with condition:
        condition.notify_all()


def test_a_duration_is_never_negative_and_milliseconds_are_never_too_few() -> None:
    assert (capped(-1.0), capped(0.25), capped(1e300)) == (0.0, 0.25, LONGEST)
    assert (milliseconds(-1.0), milliseconds(0.0), milliseconds(1e-9), milliseconds(0.0015)) == (0, 0, 1, 2)
