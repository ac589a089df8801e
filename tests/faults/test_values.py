"""A fault is a value: checked, compared, and printed as the code that makes it."""

from __future__ import annotations

import errno
import math
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.helpers import one
from windsock import faults
from windsock.errors import UsageError
from windsock.faults import (
    AcceptDelay,
    AcceptError,
    BacklogFull,
    Blackhole,
    CloseDelay,
    Corrupt,
    Delay,
    Dribble,
    Drop,
    Duplicate,
    Fault,
    FaultSet,
    ForkError,
    HalfClose,
    HandlerError,
    Hold,
    Inject,
    Kill,
    Loss,
    MaxConnections,
    Mtu,
    Pause,
    QueueLimit,
    Rate,
    Rebind,
    Refuse,
    Reorder,
    Replace,
    Reset,
    Resume,
    Segment,
    Stall,
    ThreadError,
    TLSAlert,
    TLSPlaintext,
    TLSStall,
    TLSTruncate,
    Truncate,
)


def untyped(value: Any) -> Any:
    """Return a value of a type that mypy would not let pass."""
    return value


EXAMPLES: list[Fault] = [
    AcceptDelay(0.5),
    AcceptError("EMFILE"),
    BacklogFull(),
    Blackhole(1.0, 2.0, 3, discard=True),
    CloseDelay(0.5),
    Corrupt("replace", data=b"x"),
    Delay(0.25, jitter=0.125, distribution="pareto", correlation=0.5),
    Dribble(3, over=1.0),
    Drop([1, 2]),
    Duplicate(2, after=0.5),
    ForkError("ENOMEM"),
    HalfClose(after_bytes=3),
    HandlerError(ValueError),
    Hold(),
    Inject(b"x", after_bytes=3),
    Kill("SIGTERM"),
    Loss(0.25, model="gemodel", r=0.5),
    MaxConnections(3, then="stall"),
    Mtu(1200, on_excess="truncate"),
    Pause(),
    QueueLimit(3),
    Rate(1000, burst=10),
    Rebind(),
    Refuse(),
    Reorder(gap=3),
    Replace(b"a", b"b"),
    Reset(after_bytes=3, flush=True),
    Resume(),
    Segment(3, interval=0.5),
    Stall(after_bytes=3),
    TLSAlert("unknown_ca", "server_hello"),
    TLSPlaintext(b"HTTP/1.0 200 OK\r\n"),
    TLSStall("finished"),
    TLSTruncate(after_bytes=3),
    ThreadError(),
    Truncate(3, then="reset"),
]


def test_every_fault_is_among_the_examples() -> None:
    public = {value for value in vars(faults).values() if isinstance(value, type) and issubclass(value, Fault)}

    assert {type(each) for each in EXAMPLES} == public - {Fault}


@pytest.mark.parametrize("fault", EXAMPLES, ids=repr)
def test_a_fault_prints_as_the_code_that_makes_it(fault: Fault) -> None:
    again = eval(repr(fault), vars(faults))

    assert again == fault
    assert again is not fault
    assert "@" not in repr(fault)


@pytest.mark.parametrize("fault", EXAMPLES, ids=repr)
def test_a_fault_cannot_be_changed(fault: Fault) -> None:
    with pytest.raises((AttributeError, TypeError)):
        fault.anything = 1  # type: ignore[attr-defined]  # that is the test


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Delay(-0.1), "time=-0.1"),
        (lambda: Delay(math.inf), "time=inf"),
        (lambda: Delay(untyped("1 s")), "time='1 s'"),
        (lambda: Delay(1, jitter=-1), "jitter=-1"),
        (lambda: Delay(1, jitter=1, distribution="gamma"), "distribution='gamma'"),
        (lambda: Delay(1, jitter=1, correlation=1.5), "correlation=1.5"),
        (lambda: Delay(1, correlation=0.5), "jitter=0"),
        (lambda: Delay(True), "time=True"),
        (lambda: Rate(0), "bytes_per_second=0"),
        (lambda: Rate(-5), "bytes_per_second=-5"),
        (lambda: Rate(5, burst=-1), "burst=-1"),
        (lambda: Rate(5, buffer=0), "buffer=0"),
        (lambda: Segment(0), "size=0"),
        (lambda: Segment(1, interval=-1), "interval=-1"),
        (lambda: Dribble(0, over=1), "chunks=0"),
        (lambda: Dribble(1, over=-1), "over=-1"),
        (lambda: Truncate(-1), "after_bytes=-1"),
        (lambda: Truncate(1, then="explode"), "then='explode'"),
        (lambda: Reset(after_bytes=untyped(1.5)), "after_bytes=1.5"),
        (lambda: Corrupt("mangle"), "mode='mangle'"),
        (lambda: Corrupt("bitflip", bits=0), "bits=0"),
        (lambda: Corrupt("zero", bits=2), "bits=2"),
        (lambda: Corrupt("zero", data=b"x"), "data=b'x'"),
        (lambda: Corrupt("replace"), "data=b''"),
        (lambda: Blackhole(0), "on=0"),
        (lambda: Blackhole(1, -1), "off=-1"),
        (lambda: Blackhole(1, 1, 0), "repeat=0"),
        (lambda: Blackhole(off=1), "on=None"),
        (lambda: Blackhole(1, repeat=2), "off=None"),
        (lambda: Inject(b""), "data=b''"),
        (lambda: Inject(untyped("text")), "data='text'"),
        (lambda: Replace(b"", b"x"), "pattern=b''"),
        (lambda: Replace(b"x", untyped("y")), "with_='y'"),
        (lambda: Replace(b"x", b"y", patience=-1), "patience=-1"),
        (lambda: Loss(2), "p=2"),
        (lambda: Loss(), "p=None"),
        (lambda: Loss(0.1, model="weather"), "model='weather'"),
        (lambda: Loss(0.1, r=0.1), "r=0.1"),
        (lambda: Loss(0.1, model="gemodel", p13=0.1), "p13=0.1"),
        (lambda: Loss(model="state"), "p13=None"),
        (lambda: Loss(model="state", p13=0.7, p14=0.7), "p13 + p14"),
        (lambda: Drop(0), "indices=0"),
        (lambda: Drop([]), "indices=[]"),
        (lambda: Drop(untyped(None)), "indices=None"),
        (lambda: Duplicate(0), "copies=0"),
        (lambda: Duplicate(1, after=-1), "after=-1"),
        (lambda: Reorder(), "either gap="),
        (lambda: Reorder(gap=2, probability=0.5), "either gap="),
        (lambda: Reorder(gap=0), "gap=0"),
        (lambda: Reorder(probability=-1), "probability=-1"),
        (lambda: Mtu(-1), "size=-1"),
        (lambda: Mtu(1, on_excess="split"), "on_excess='split'"),
        (lambda: QueueLimit(-1), "n=-1"),
        (lambda: AcceptDelay(-1), "time=-1"),
        (lambda: AcceptError("EWHATEVER"), "errno='EWHATEVER'"),
        (lambda: AcceptError(untyped(24)), "errno=24"),
        (lambda: AcceptError("errorcode"), "errno='errorcode'"),
        (lambda: MaxConnections(-1), "n=-1"),
        (lambda: MaxConnections(1, then="wait"), "then='wait'"),
        (lambda: TLSStall("hello"), "stage='hello'"),
        (lambda: TLSAlert("panic"), "code='panic'"),
        (lambda: TLSAlert(256), "code=256"),
        (lambda: TLSAlert(40, "hello"), "stage='hello'"),
        (lambda: TLSPlaintext(b""), "data=b''"),
        (lambda: TLSTruncate(after_bytes=-1), "after_bytes=-1"),
        (lambda: ForkError("EFORK"), "errno='EFORK'"),
        (lambda: HandlerError(untyped("no")), "exception='no'"),
        (lambda: HandlerError(untyped(KeyboardInterrupt)), "exception=<class 'KeyboardInterrupt'>"),
        (lambda: Kill("SIGNOTHING"), "signal='SIGNOTHING'"),
        (lambda: CloseDelay(-1), "time=-1"),
        (lambda: Stall(after_bytes=-1), "after_bytes=-1"),
        (lambda: HalfClose(after_bytes=-1), "after_bytes=-1"),
        (lambda: faults.profiles.fail_first(0), "n=0"),
    ],
)
def test_a_value_that_cannot_work_is_named_with_what_was_expected(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        make()

    assert "expected" in str(caught.value)


def test_names_have_their_numbers() -> None:
    assert AcceptError("EMFILE").code == errno.EMFILE
    assert ForkError().code == errno.EAGAIN
    assert TLSAlert("handshake_failure").number == TLSAlert(40).number == 40
    assert Kill("SIGTERM").number == signal.SIGTERM


@pytest.mark.parametrize("value", ["Delay", 3, None, b"x"])
def test_what_is_no_fault_is_not_installed(value: Any) -> None:
    with pytest.raises(UsageError, match="expected a fault"):
        FaultSet().install(value)


def test_the_class_of_a_fault_is_no_fault() -> None:
    with pytest.raises(UsageError, match=r"Hold: that is the class; expected a fault, such as Hold\(...\)"):
        FaultSet().install(Hold)


@pytest.mark.parametrize("fault", [Refuse(), TLSStall(), ForkError()], ids=repr)
def test_a_fault_outside_of_the_stream_leaves_it_alone(fault: Fault) -> None:
    _, chain = one(fault)

    assert chain.is_idle()
