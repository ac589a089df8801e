"""One name stands for one thing: the words of the code, read from its identifiers."""

from __future__ import annotations

import ast
import collections
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
RETIRED = {
    "arena": "buffers",
    "clockwork": "event_loop",
    "company": "client_group",
    "crew": "thread_pool",
    "deed": "history_entry",
    "dialing": "connect_attempt",
    "doorway": "listener",
    "faked": "fake_api",
    "fate": "verdict",
    "garbage": "random_bytes",
    "halt": "stop_event",
    "house": "relay_loop",
    "installed": "handle, handles",
    "meddler": "handshake_faults",
    "nonsense": "malformed",
    "parcels": "exception_pickle",
    "parted": "null_recorder",
    "performance": "script_run",
    "polled": "client_endpoint",
    "repertoire": "responder",
    "retraction": "unsent",
    "rude": "abort",
    "securing": "handshake_attempt",
    "slate": "(gone)",
    "spoils": "handshake_faults",
    "spool": "spill_file",
    "stranger": "foreign_server",
    "talks": "sessions",
    "tally": "counters",
    "weather": "fault_set",
}
"""Words that names were made of, and what is said instead."""
RETIRED_NAMES = {
    "may_not_fire": "allow_unfired",
    "carries": "applies_to",
    "rank": "chain_order",
    "admit": "add",
    "dismiss": "remove, close",
    "Behind": "ClientProxy",
    "Driver": "Lifecycle",
    "Flow": "RelayDirection",
    "Known": "ClientBase",
    "Layer": "SocketWrapper",
    "Met": "Matched, ConnectionInfo",
    "Place": "Target, ConnectTarget, Cursor",
    "Planned": "FaultOptions",
    "Plays": "ScriptQueue",
    "Rounds": "Scheduler",
    "Several": "FaultGroup",
    "Side": "RelayEndpoint",
    "Turn": "RequestGreenlet",
}
"""Whole names."""
FAMILIAR = {"NotInstalled", "GARBAGE_ARGS", "garbage_args", "weather"}
"""A package that is not installed is called so by pip too; GARBAGE_ARGS is a status of RFC 5531. A weather is what
strategies draw and `under()` takes: faults with their selectors, which no server has yet."""
STEPS_AND_FAULTS = {"HalfClose", "Pause", "Reset", "Resume", "Stall"}
"""Public names in two namespaces: `Script().reset()` is a step, `faults.Reset()` a fault (docs/weather.md)."""


def sources() -> list[Path]:
    return sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "plugin").rglob("*.py")])


def identifiers(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for token in tokenize.tokenize(io.BytesIO(file.read()).readline):
            if token.type == tokenize.NAME:
                yield token.start[0], token.string


def words_of(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def instead_of(name: str) -> str | None:
    """Return what to say in the place of a name with a retired word, if it has one."""
    if name in RETIRED_NAMES:
        return RETIRED_NAMES[name]
    return None if name in FAMILIAR else next((RETIRED[word] for word in words_of(name) if word in RETIRED), None)


def test_no_name_has_a_word_that_was_replaced_by_a_better_one() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}: say {better}"
        for path in sources()
        for line, name in [*identifiers(path), (0, path.stem)]
        if (better := instead_of(name)) is not None
    ]

    assert found == []


def test_a_retired_word_is_found_wherever_it_stands_in_a_name() -> None:
    assert instead_of("_spool_of") == instead_of("SpoolReader") == instead_of("SPOOL") == "spill_file"
    assert instead_of("spooler") is None


def test_a_class_name_stands_for_one_thing() -> None:
    names = collections.Counter(
        node.name
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )

    assert {name for name, count in names.items() if count > 1} == STEPS_AND_FAULTS
