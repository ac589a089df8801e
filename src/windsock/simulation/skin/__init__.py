"""How the standard library reaches a world: functions and methods that stand in while one is live.

All of them are permanent and know no world: each call looks for the live one, and is made for real by a thread that is
not of it. So code that has kept one of them is none the worse for it later.
"""

from __future__ import annotations

from typing import Any

from windsock.net.system import patched_by_gevent
from windsock.options.combinations import Unsupported
from windsock.simulation import interpreter, pinning, tracers
from windsock.simulation.names import Names
from windsock.simulation.skin import (
    calendar,
    clock,
    descriptors,
    handles,
    locks,
    pipes,
    polling,
    randomness,
    refusals,
    resolver,
    selecting,
    sockets,
    threads,
    tls,
)

__all__ = ["check", "install", "remove"]

METHODS: dict[tuple[Any, str], Any] = {
    **locks.METHODS,
    **threads.METHODS,
    **sockets.METHODS,
    **pipes.METHODS,
    **polling.METHODS,
    **selecting.METHODS,
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
_conditions = interpreter.Conditions()


def check() -> None:
    """Raise Unsupported if this interpreter cannot run a world."""
    if patched_by_gevent():
        raise Unsupported("simulated worlds are not available beside gevent's patches (gevent.monkey)")
    tracers.check()
    interpreter.check(tuple(dict.fromkeys(class_ for class_, _ in METHODS)))


def install() -> None:
    """Put all stand-ins in place."""
    locks.left_alone.update(tracers.locks())
    for (class_, name), method in METHODS.items():
        _grafts.put(class_, name, method)
    _conditions.install()
    _names.replace()


def remove() -> None:
    """Put the standard library back as it was."""
    _names.restore()
    _conditions.remove()
    _grafts.remove()
    locks.left_alone.clear()
    handles.handles.clear()
    polling.forget()
