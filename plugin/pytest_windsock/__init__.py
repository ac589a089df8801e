"""The pytest plugin: fixtures, options and reports over windsock. The only place that has heard of pytest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_windsock.factories import Cassettes, Connect, Divert, Proxies, RealServers, Serve
    from pytest_windsock.scopes import combinations, fixture, program
    from pytest_windsock.shared_server import SharedServer

__all__ = [
    "Cassettes",
    "Connect",
    "Divert",
    "Proxies",
    "RealServers",
    "Serve",
    "SharedServer",
    "combinations",
    "fixture",
    "program",
]


def pytest_plugin_registered(plugin: object, manager: Any) -> None:
    """Load the plugin with its package, for `-p pytest_windsock`, unless it is loaded already by its own name."""
    if plugin is sys.modules[__name__] and manager.get_plugin("windsock") is None:
        from pytest_windsock import plugin as hooks

        manager.register(hooks, "windsock")


def __getattr__(name: str) -> Any:
    """Import what makes fixtures, and the types, on first use: pytest imports this package in every run."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_windsock import factories, scopes

    if name == "SharedServer":
        from pytest_windsock import shared_server

        return shared_server.SharedServer
    return getattr(scopes if name in scopes.__all__ else factories, name)
