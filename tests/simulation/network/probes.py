"""The table of probes: short scripts whose results the kernel and the simulated network must share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tests.simulation.network.worlds import World

Probe: TypeAlias = Callable[[World], Any]

PROBES: list[Probe] = []


def probe(script: Probe) -> Probe:
    PROBES.append(script)
    return script
