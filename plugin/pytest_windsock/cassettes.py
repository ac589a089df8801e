"""The body of the fixture `cassette`: a replay, a recorder, or a proxy to the real server, by --windsock-cassettes."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

import windsock
from pytest_windsock import against, deadline, hangs, seeds, verdict
from pytest_windsock.artifacts import safe_name
from pytest_windsock.cassette_modes import mode_of
from pytest_windsock.fixtures import State
from pytest_windsock.ini_values import timeout_of
from pytest_windsock.starting import seed_source
from windsock.errors import NotInstalled
from windsock.options.server_options import ServerKeywords
from windsock.scripts.checks import check_keywords

if TYPE_CHECKING:
    from pytest_windsock.factories import Cassettes
    from windsock import CassetteRecorder, Replay
    from windsock.proxies.proxy import FaultProxy

__all__ = ["cassettes"]

DIRECTORY = "cassettes"
"""Where cassettes are, beside the file of their tests."""
ALIKE = ("ignore", "normalise", "connections")
"""Keywords of a replay that say what counts as the same: they hold for a verification too."""
PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


def cassettes() -> Iterator[Cassettes]:
    """Give the factory, and finish what it has made. A recorder keeps nothing of a test that did not pass."""
    __tracebackhide__ = True
    deadline.hand_over()
    item = State.item
    hangs.begin(item)
    started: list[Any] = []
    names: Counter[str] = Counter()

    def cassette(
        address: Any,
        *,
        file: str | None = None,
        framing: Any = None,
        redact: Any = None,
        recording: Mapping[str, Any] | None = None,
        **replaying: Any,
    ) -> Replay | CassetteRecorder | FaultProxy:
        __tracebackhide__ = True
        _check(replaying)
        name = file or _name_of(item)
        names[name] += 1
        path = _path(item, name, names[name])
        both: dict[str, Any] = {
            "timeout": timeout_of(item.config),
            "name": f"cassette {len(started) + 1}",
            "framing": framing,
            "redact": redact,
        }
        made = _made(_mode(item, path), address, path, both | dict(recording or {}), both | replaying)
        started.append(made)
        State.servers.append(made)
        return made

    try:
        yield cassette
    finally:
        if State.has_raised:
            for each in started:
                each.stop()
        verdict.finish(started)


def _made(
    mode: str, address: Any, path: str, recording: dict[str, Any], replaying: dict[str, Any]
) -> Replay | CassetteRecorder | FaultProxy:
    __tracebackhide__ = True
    if mode == "replay":
        return windsock.replay(path, **{"seed": seed_source()()} | replaying)
    given = {"seed": seed_source()()} | recording
    if mode == "verify":
        alike = {name: replaying[name] for name in ALIKE if name in replaying}
        return windsock.verify(_address_if_there(address, given.get("transport")), path, **given | alike)
    there = address() if callable(address) else address
    return windsock.proxy(there, **given) if mode == "off" else windsock.record(there, path, **given)


def _check(replaying: Mapping[str, Any]) -> None:
    """Raise UnknownKeyword in each mode for what is no keyword of a replay."""
    __tracebackhide__ = True
    own = (*ALIKE, "pace")
    check_keywords("cassette", {name: replaying[name] for name in replaying if name not in own}, ServerKeywords)


def _address_if_there(address: Any, transport: str | None) -> Any:
    """Return the address of the real server; skip the test if the program is not installed, or nothing listens."""
    __tracebackhide__ = True
    try:
        if callable(address):
            return address()
        with windsock.scripted_client(address, transport=transport, name="a look whether the real server is there"):
            return address
    except (NotInstalled, windsock.ConnectFailed) as error:
        pytest.skip(f"the real server is not there: {error}")


def _mode(item: pytest.Item, path: str) -> str:
    """Return what to do with one cassette: "record" is only for one that is missing.

    With `against=`, the side "real" verifies the cassette where the other one replays it, and renews it in their place.
    """
    __tracebackhide__ = True
    mode = mode_of(item.config)
    if mode == "record":
        mode = "replay" if os.path.exists(path) else "rewrite"
    side = against.side_of(item)
    if side == "recorded" and mode != "replay":
        pytest.skip(f"--windsock-cassettes={mode_of(item.config)}: this run is about the real server")
    return "verify" if side == "real" and mode == "replay" else mode


def _path(item: pytest.Item, name: str, number: int) -> str:
    """Return the path of a cassette; of several with one name in a test, the later ones have a number."""
    stem, suffix = os.path.splitext(name)
    numbered = name if number == 1 else f"{stem}-{number}{suffix}"
    return str(item.path.parent / DIRECTORY / numbered)


def _name_of(item: pytest.Item) -> str:
    """Return the name of the marker closest to the test, or that of the test, as far as any file system takes it."""
    for mark in item.iter_markers("windsock"):
        if "cassette" in mark.kwargs:
            return str(mark.kwargs["cassette"])
    test = against.without_side(seeds.name_of_test(item), against.side_of(item)).partition("::")[2].replace("::", ".")
    parts = (item.path.stem, test)
    return os.path.join(*(each if PLAIN.fullmatch(each) else safe_name(each) for each in parts)) + ".txt"
