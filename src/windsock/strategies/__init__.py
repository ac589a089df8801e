"""Strategies of Hypothesis, as values: faults, where they act, cuts of a stream, scripts of peers, turns of threads."""

from windsock.strategies.cuts import cuts
from windsock.strategies.faults import faults
from windsock.strategies.interleavings import interleavings
from windsock.strategies.schedules import weather
from windsock.strategies.scripts import scripts
from windsock.strategies.selectors import selectors

__all__ = ["cuts", "faults", "interleavings", "scripts", "selectors", "weather"]
