"""The marker `windsock`: its keywords, checked before the first test runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

import windsock
from pytest_windsock import against
from pytest_windsock.starting import FILTERS, OF_PAIRS, OWN
from windsock.harness import OPTION_NAMES, Options
from windsock.options.class_checks import unit_of

__all__ = ["check"]


ONE_OF = {"stream": "tcp", "datagram": "udp", "record": "unix_seqpacket"}
"""A transport for each unit."""


def check(items: Iterable[pytest.Item]) -> None:
    """Raise pytest.UsageError for the first marker with an unknown keyword; the message lists the known ones."""
    seen: set[int] = set()
    for item in items:
        for mark in item.iter_markers("windsock"):
            if id(mark) not in seen:
                seen.add(id(mark))
                is_filter = "any_server" in getattr(item, "fixturenames", ())
                _check(item.nodeid, mark, FILTERS if is_filter else ())


def _check(where: str, mark: pytest.Mark, filters: Iterable[str]) -> None:
    if mark.args:
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock{mark.args!r}: it takes keywords only: handler=...")
    if "transports" in mark.kwargs and not filters:
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock(transports=...) is for tests that use any_server")
    options = {key: value for key, value in mark.kwargs.items() if key not in (*filters, *OWN, *OF_PAIRS)}
    unknown = sorted(options.keys() - OPTION_NAMES)
    if unknown:
        valid = ", ".join(sorted({*OPTION_NAMES, *OWN, *OF_PAIRS}))
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock has no keyword {unknown[0]!r}; there are: {valid}")
    if not isinstance(wanted := mark.kwargs.get("artifacts", True), bool):
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock(artifacts={wanted!r}): expected True or False")
    if not isinstance(file := mark.kwargs.get("cassette", "a"), str) or not file:
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock(cassette={file!r}): expected the name of a file")
    if not isinstance(wanted := mark.kwargs.get("simulated", True), bool):
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock(simulated={wanted!r}): expected True or False")
    if "against" in mark.kwargs:
        against.check(where, mark.kwargs["against"])
    _check_values(where, options)


def _check_values(where: str, options: Mapping[str, Any]) -> None:
    if options.get("path") is not None and not options.keys() & {"transport", "server_class"}:
        options = {**options, "transport": "unix_stream"}  # that it is one of the two, the fixture says
    if options.keys() & {"multicast", "broadcast"} and not options.keys() & {"transport", "server_class"}:
        options = {**options, "transport": "udp"}
    if not options.keys() & {"transport", "server_class"} and (unit := unit_of(options.get("handler"))) is not None:
        options = {**options, "transport": ONE_OF[unit]}  # likewise
    try:
        Options(**options).resolved()
    except windsock.Unsupported:
        pass  # the fixture skips the test
    except windsock.UsageError as error:
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock: {error}") from None
