"""How the standard library reaches a world: functions and methods that stand in while one is live.

All of them are permanent and know no world: each call looks for the live one, and is made for real by a thread that is
not of it. So code that has kept one of them is none the worse for it later.
"""

from __future__ import annotations

import sys
from typing import Any

from windsock.net.system import patched_by_gevent
from windsock.options.combinations import Unsupported
from windsock.simulation import interpreter, pinning
from windsock.simulation.names import Names
from windsock.simulation.skin import (
    calendar,
    clock,
    conditions,
    descriptors,
    handles,
    locks,
    polling,
    randomness,
    refusals,
    resolver,
    sockets,
    threads,
    tls,
)

__all__ = ["check", "install", "remove"]

METHODS: dict[tuple[Any, str], Any] = {
    **locks.METHODS,
    **threads.METHODS,
    **sockets.METHODS,
    **polling.METHODS,
    **tls.METHODS,
    **calendar.METHODS,
}
NAMES: dict[Any, Any] = {
    **clock.NAMES,
    **threads.NAMES,
    **pinning.NAMES,
    **sockets.NAMES,
    **polling.NAMES,
    **descriptors.NAMES,
    **resolver.NAMES,
    **refusals.NAMES,
    **randomness.NAMES,
}
_names = Names({**NAMES, **{vars(class_)[name]: method for (class_, name), method in METHODS.items()}})
_grafts = interpreter.Grafts()


def check() -> None:
    """Raise Unsupported if this interpreter cannot run a world."""
    if patched_by_gevent():
        raise Unsupported("simulated worlds are not available beside gevent's patches (gevent.monkey)")
    if (tracer := sys.gettrace()) is not None and _module_of(tracer).partition(".")[0] == "coverage":
        raise Unsupported("simulated worlds do not run while coverage traces threads; run these tests without --cov")
    interpreter.check(tuple(dict.fromkeys(class_ for class_, _ in METHODS)))


def _module_of(tracer: object) -> str:
    """Return the module of a trace function, a method or an object that is one."""
    return str(getattr(tracer, "__module__", None) or type(tracer).__module__)


def install() -> None:
    """Put all stand-ins in place."""
    for (class_, name), method in METHODS.items():
        _grafts.put(class_, name, method)
    conditions.install()
    _names.replace()


def remove() -> None:
    """Put the standard library back as it was."""
    _names.restore()
    conditions.remove()
    _grafts.remove()
    handles.handles.clear()
    polling.forget()
