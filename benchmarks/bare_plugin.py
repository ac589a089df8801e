"""The plugin's fixtures without its watch over hangs, its verdict and its reports, to measure what these cost."""

from __future__ import annotations

from pytest_windsock import fixtures, plugin

LEFT_OUT = {f"pytest_runtest_{each}" for each in ("setup", "call", "teardown", "makereport")}

globals().update({name: getattr(plugin, name) for name in plugin.__all__ if name not in LEFT_OUT}, **fixtures.ALL)
