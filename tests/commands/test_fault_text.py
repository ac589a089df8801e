"""Faults as text: what is read, and how an error shows where it is."""

from __future__ import annotations

import builtins
import re
from typing import Any

import pytest

from windsock.commands.fault_text import FaultTextError, fault_from
from windsock.faults import Delay, First, Inject, Loss, Reset, profiles


@pytest.mark.parametrize(
    ("text", "fault", "keywords"),
    [
        ("Delay(0.1)", Delay(0.1), {}),
        ("windsock.faults.Delay(0.1)", Delay(0.1), {}),
        (
            "Reset(after_bytes=10), connections=first(2), direction='downstream'",
            Reset(after_bytes=10),
            {"connections": First(2), "direction": "downstream"},
        ),
        ("Loss(p=0.5), nth=slice(2, None), name='wet'", Loss(p=0.5), {"nth": slice(2, None), "name": "wet"}),
        ("Delay(1), nth=[1, 3], match=re.compile(b'GE.')", Delay(1), {"nth": [1, 3], "match": re.compile(b"GE.")}),
        (r"Inject(b'\r\n\x00é')".replace("é", ""), Inject(b"\r\n\0"), {}),
    ],
)
def test_a_fault_is_read_as_in_code(text: str, fault: object, keywords: dict[str, Any]) -> None:
    assert fault_from(text) == (fault, keywords)


@pytest.mark.parametrize("text", ["flaky", "profiles.flaky", "faults.profiles.flaky"])
def test_a_profile_is_read_by_its_name(text: str) -> None:
    assert fault_from(text) is profiles.flaky
    assert fault_from("fail_first(2)") == profiles.fail_first(2)


@pytest.mark.parametrize(
    ("text", "column", "why"),
    [
        ("Latency(0.1)", 1, "there is no fault or profile 'Latency'"),
        ("Dellay(0.1)", 1, "did you mean Delay"),
        ("Delay(-1)", 1, "time=-1: expected seconds"),
        ("Delay()", 1, "missing 1 required positional argument: 'time'"),
        ("Delay(0.1), direction='up'", 23, "expected one of 'upstream', 'downstream', 'both'"),
        ("Delay(0.1), conections=1", 13, "did you mean 'connections'?"),
        ("Delay(0.1), Reset()", 13, "expected one fault"),
        ("Delay(0.1", 10, "is not closed"),
        ("Delay(0.1))", 11, "unmatched ')'"),
        ("Delay(0.1)), Reset(", 19, "unmatched ')'"),
        ("Delay(time)", 7, "there is no fault or profile 'time'"),
        ("Delay(1 + 1)", 7, "expected a literal"),
        ("Delay(*[1])", 7, "expected a literal"),
        ("Delay(**{'time': 1})", 7, "without **"),
        ("Delay", 1, "has to be called"),
        ("first(2)", 1, "expected a fault"),
        ("", 1, "expected a fault"),
        ("flaky, nth=1", 8, "a profile defines itself where"),
        ("__import__('os').system('id')", 1, "expected the name of a fault"),
        ("Delay.__class__(1)", 1, "there is no fault or profile 'Delay.__class__'"),
        ("Delay(0.1), match=lambda data: True", 19, "expected a literal"),
        ("Delay(0.1), match=re.compile('a')", 19, "expected bytes"),
        ("Delay(0.1), match=re.compile(b'(')", 19, "missing )"),
        ("Replace(b'\u00e4', b'a')", 9, "bytes can only contain ASCII"),
        ("Delay(0.1), name='\u00e4', direction=1", 33, "expected one of"),
    ],
)
def test_an_error_shows_the_column(text: str, column: int, why: str) -> None:
    with pytest.raises(FaultTextError, match=re.escape(why)) as caught:
        fault_from(text)

    assert caught.value.column == column
    assert str(caught.value).endswith(f"\n  {text}\n  {' ' * (column - 1)}^")


def test_nothing_in_the_text_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    monkeypatch.setattr(builtins, "a_function", called.append, raising=False)

    with pytest.raises(FaultTextError):
        fault_from("Delay(a_function(1))")

    assert called == []


def test_deeply_nested_text_is_an_error_not_a_crash() -> None:
    with pytest.raises(FaultTextError):
        fault_from("Delay(" + "(" * 10_000 + "1" + ")" * 10_000 + ")")
