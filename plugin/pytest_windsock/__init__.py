"""The pytest plugin: fixtures, options and reports over windsock. The only place that has heard of pytest."""

from pytest_windsock.fixtures import Connect, Serve
from pytest_windsock.weather import Proxies

__all__ = ["Connect", "Proxies", "Serve"]
