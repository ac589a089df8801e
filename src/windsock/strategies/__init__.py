"""Strategies of Hypothesis: faults, selectors, schedules of faults, cuts of a stream, scripts of peers, as values."""

from windsock.strategies.cuts import cuts
from windsock.strategies.faults import faults
from windsock.strategies.schedules import weather
from windsock.strategies.scripts import scripts
from windsock.strategies.selectors import selectors

__all__ = ["cuts", "faults", "scripts", "selectors", "weather"]
