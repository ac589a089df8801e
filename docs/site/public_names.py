"""The public modules, and the public names of each: what the reference has to list."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

MODULES = (
    "windsock",
    "pytest_windsock",
    "windsock.faults",
    "windsock.faults.profiles",
    "windsock.faults.items",
    "windsock.strategies",
    "windsock.simulation",
    "windsock.servers",
    "windsock.servers.rpc",
    "windsock.security",
    "windsock.programs",
    "windsock.programs.recipes",
    "windsock.protocols",
    "windsock.protocols.dns",
    "windsock.protocols.http",
    "windsock.protocols.mqtt",
    "windsock.protocols.postgresql",
    "windsock.protocols.redis",
    "windsock.protocols.smtp",
    "windsock.protocols.websocket",
    "windsock.protocols.rpc",
    "windsock.protocols.rpc_messages",
    "windsock.protocols.portmap",
    "windsock.protocols.record_marking",
    "windsock.protocols.xdr",
    "windsock.cassettes",
    "windsock.captures",
    "windsock.captures.page",
    "windsock.testing",
    "windsock.errors",
)
"""In the order of the reference: a name that several of them have is described in the first."""


def names_of(module: str) -> dict[str, Any]:
    """Return what a module exports, by name, without the modules among it."""
    loaded = importlib.import_module(module)
    found = {name: getattr(loaded, name) for name in sorted(loaded.__all__)}
    return {name: value for name, value in found.items() if not isinstance(value, ModuleType)}


def described_in(module: str) -> dict[str, Any]:
    """Return the names that the reference describes with this module, and not with an earlier one."""
    earlier = {(name, id(value)) for each in MODULES[: MODULES.index(module)] for name, value in names_of(each).items()}
    return {name: value for name, value in names_of(module).items() if (name, id(value)) not in earlier}


def members_of(kind: type) -> set[str]:
    """Return the names of the public methods and properties of a class that windsock defines."""
    return {
        name
        for base in kind.__mro__
        if base.__module__.partition(".")[0] in ("windsock", "pytest_windsock")
        for name, value in vars(base).items()
        if not name.startswith("_") and (inspect.isroutine(value) or isinstance(value, property))
    }


class PluginParser:
    """The options and ini values that the plugin adds: what `pytest.Parser` is to it."""

    def __init__(self) -> None:
        self.options: dict[str, dict[str, Any]] = {}
        self.ini_values: dict[str, str] = {}

    def getgroup(self, name: str) -> PluginParser:
        """Return the parser itself: groups make no difference."""
        return self

    def addoption(self, name: str, **attributes: Any) -> None:
        """Note an option."""
        self.options[name] = attributes

    def addini(self, name: str, help: str, **attributes: Any) -> None:
        """Note an ini value."""
        self.ini_values[name] = help


def plugin_parser() -> PluginParser:
    """Return what the plugin adds to pytest's options and ini values."""
    from pytest_windsock import plugin

    parser = PluginParser()
    plugin.pytest_addoption(parser)  # type: ignore[arg-type]  # it needs no more of it
    return parser


def fixtures() -> dict[str, Any]:
    """Return the plugin's fixtures by name."""
    from pytest_windsock.fixtures import ALL

    return ALL


def keywords() -> list[str]:
    """Return the keywords of the marker."""
    from pytest_windsock.starting import OF_PAIRS, OWN
    from windsock.harness import OPTION_NAMES

    return sorted({*OPTION_NAMES, *OWN, *OF_PAIRS})
