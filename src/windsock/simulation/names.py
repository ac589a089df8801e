"""Functions replaced wherever code has bound them: in modules, classes, default values, and variables of closures.

A module is searched once, and again when its number of names has changed: most modules never change after their
import. What was found is replaced on entering each world, and put back on leaving it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import attrgetter
from types import BuiltinFunctionType, CellType, FunctionType, MethodDescriptorType, ModuleType
from typing import Any, NamedTuple

from windsock.net import system

__all__ = ["LEFT_ALONE", "Names"]

OURS = "windsock.simulation"
LEFT_ALONE = {"_pytest", "coverage", "execnet", "faulthandler", "pluggy", "pytest", "pytest_timeout", "xdist"}
"""Packages that keep the real functions, as they run the tests."""
COPIES = ("os", "socket", "select", "selectors", "threading", "fcntl")
"""Modules of `windsock.net.system` that are not in `sys.modules`."""
ALWAYS_SEARCHED = {"socket"}
"""Modules whose classes tools change without changing the number of names (pytest-socket)."""
MOST_WRAPPERS = 3
"""How many functions around another one are looked through."""


class BoundName(NamedTuple):
    """A place where a function is bound: `get()` returns what is there, `put(value)` binds another one."""

    get: Callable[[], Any]
    put: Callable[[Any], object]

    def swap(self, old: Any, new: Any) -> None:
        """Replace a function, unless something else has taken its place."""
        if self.get() is old:
            self.put(new)


class Names:
    """Replaces functions (`pairs`, from the old to the new) in all modules."""

    def __init__(self, pairs: Mapping[Any, Any]) -> None:
        self._pairs = {id(old): (old, new) for old, new in pairs.items()}
        self._searched: dict[str, tuple[int, int]] = {}
        self._sites: dict[str, list[tuple[BoundName, Any, Any]]] = {}

    def replace(self) -> None:
        """Put the new functions in."""
        for name, module in self._changed():
            self._searched[name] = _key(module)
            self._sites[name] = [(site, *self._pairs[id(site.get())]) for site in _sites(module, self._pairs)]
        for site, old, new in self._all_sites():
            site.swap(old, new)

    def restore(self) -> None:
        """Put the old functions back; a module that was imported in the world is searched for the new ones."""
        for site, old, new in self._all_sites():
            site.swap(new, old)
        back = {id(new): old for old, new in self._pairs.values()}
        for _, module in self._changed():
            for site in list(_sites(module, back)):
                site.put(back[id(site.get())])

    def _all_sites(self) -> Iterator[tuple[BoundName, Any, Any]]:
        for sites in self._sites.values():
            yield from sites

    def _changed(self) -> list[tuple[str, ModuleType]]:
        return [(name, module) for name, module in _modules() if self._is_changed(name, module)]

    def _is_changed(self, name: str, module: ModuleType) -> bool:
        return name in ALWAYS_SEARCHED or self._searched.get(name) != _key(module)


def _key(module: ModuleType) -> tuple[int, int]:
    return id(module), len(vars(module))


def _modules() -> list[tuple[str, ModuleType]]:
    """Return the modules to search, by name."""
    found = [(name, each) for name, each in list(sys.modules.items()) if _is_searched(name, each)]
    return found + [(f"{name} of windsock", getattr(system, name)) for name in COPIES]


def _is_searched(name: str, module: object) -> bool:
    if name.startswith(OURS) or name.partition(".")[0] in LEFT_ALONE:
        return False
    return isinstance(module, ModuleType)


def _sites(module: ModuleType, wanted: Mapping[int, Any]) -> Iterator[BoundName]:
    names = vars(module)
    for name, value in list(names.items()):
        if id(value) in wanted:
            yield BoundName(partial(names.get, name), partial(names.__setitem__, name))
        elif isinstance(value, type) and value.__module__ == names.get("__name__"):
            yield from _in_class(value, wanted)
        elif isinstance(value, FunctionType):
            yield from _in_function(value, wanted)


def _in_class(class_: type, wanted: Mapping[int, Any]) -> Iterator[BoundName]:
    for name, value in list(vars(class_).items()):
        bound = value.__func__ if isinstance(value, staticmethod) else value
        if id(bound) in wanted:
            yield _site_in_class(class_, name, value)
        elif isinstance(bound, FunctionType):
            yield from _in_function(bound, wanted)


def _attribute(owner: object, name: str) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    read = attrgetter(name)
    return lambda: read(owner), lambda new: setattr(owner, name, new)


def _site_in_class(class_: type, name: str, old: Any) -> BoundName:
    """Return the site of a function in a class; one that is not a method there stays none."""
    is_method = isinstance(old, FunctionType | MethodDescriptorType)

    def put(new: Any) -> None:
        is_plain = is_method or isinstance(new, BuiltinFunctionType)
        setattr(class_, name, new if is_plain else staticmethod(new))

    return BoundName(partial(getattr, class_, name), put)


def _in_function(function: FunctionType, wanted: Mapping[int, Any], depth: int = MOST_WRAPPERS) -> Iterator[BoundName]:
    """Look into the defaults and the closure of a function, and of what it wraps."""
    if function.__globals__.get("__name__", "").startswith(OURS):
        return
    yield from _in_defaults(function, wanted)
    for cell in function.__closure__ or ():
        value = _value(cell)
        if id(value) in wanted:
            yield BoundName(*_attribute(cell, "cell_contents"))
        elif depth and isinstance(value, FunctionType):
            yield from _in_function(value, wanted, depth - 1)


def _in_defaults(function: FunctionType, wanted: Mapping[int, Any]) -> Iterator[BoundName]:
    by_name = function.__kwdefaults__ or {}
    for name, value in by_name.items():
        if id(value) in wanted:
            yield BoundName(partial(by_name.get, name), partial(by_name.__setitem__, name))
    for number, value in enumerate(function.__defaults__ or ()):
        if id(value) in wanted:
            yield BoundName(*_default(function, number))


def _default(function: FunctionType, number: int) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    def put(new: Any) -> None:
        values = list(function.__defaults__ or ())
        values[number] = new
        function.__defaults__ = tuple(values)

    return lambda: (function.__defaults__ or ())[number], put


def _value(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None
