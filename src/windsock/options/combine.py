"""Server classes put together from their parts: the home of those that `combine()` makes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from windsock.errors import UsageError
from windsock.net.system import threading
from windsock.options.combinations import CONCURRENCIES, TRANSPORTS, class_for

__all__ = ["class_with", "combine"]

_made: dict[tuple[Any, ...], type[Any]] = {}
_lock = threading.Lock()


def combine(*, transport: str = "tcp", concurrency: str = "sync", mixins: Sequence[type[Any]] = ()) -> type[Any]:
    """Return the class that a person would write as `class TLSThreadingTCPServer(TLSMixIn, ThreadingTCPServer)`.

    The mix-ins come first, in their order; each is named after its class without "MixIn". The same question
    gets the same class, which can be pickled by its name. Raises UsageError for what can't be combined.
    """
    base = class_for(transport, concurrency)
    mixins = tuple(mixins)
    if not mixins:
        return base
    for mixin in mixins:
        _check(mixin)
    with _lock:
        found = _made.get((mixins, base))
        if found is None:
            found = _made[mixins, base] = _make(mixins, base)
    return found


def class_with(mixins: Any, base: type[Any]) -> type[Any]:
    """Return a class with mix-ins in front, which has no home: classes of tests may have the same names.

    Raises UsageError for what is no list of mix-ins.
    """
    if not isinstance(mixins, Sequence) or isinstance(mixins, str | bytes):
        raise UsageError(f"mixins={mixins!r}: expected a list of classes")
    for mixin in mixins:
        _check(mixin)
    return _over(tuple(mixins), base) if mixins else base  # type: ignore[arg-type]  # classes are hashable


@lru_cache(maxsize=256)
def _over(mixins: tuple[type[Any], ...], base: type[Any]) -> type[Any]:
    return type(_name(mixins, base), (*mixins, base), {"__module__": mixins[0].__module__, "__doc__": base.__doc__})


def _name(mixins: Sequence[type[Any]], base: type[Any]) -> str:
    return "".join(mixin.__name__.removesuffix("MixIn") for mixin in mixins) + base.__name__


def _check(mixin: Any) -> None:
    if not isinstance(mixin, type) or mixin.__module__ == "builtins":
        raise UsageError(f"mixins=[{mixin!r}]: expected classes, such as windsock.security.TLSMixIn")
    if callable(getattr(mixin, "server_bind", None)):
        raise UsageError(f"mixins=[{mixin.__name__}]: it is a server class; expected mix-ins, which have no socket")
    if mixin.__name__.removesuffix("MixIn") in CONCURRENCIES.values():
        raise UsageError(f"mixins=[{mixin.__name__}]: pass concurrency= for it")


def _make(mixins: tuple[type[Any], ...], base: type[Any]) -> type[Any]:
    name = _name(mixins, base)
    here = sys.modules[__name__]
    if name in vars(here):
        taken = ", ".join(mixin.__qualname__ for mixin in vars(here)[name].__mro__[1 : 1 + len(mixins)])
        raise UsageError(f"combine(): {name} is taken by other mix-ins of the same names ({taken}); rename yours")
    doc = f"{base.__doc__} With {', '.join(mixin.__name__ for mixin in mixins)} in front."
    made = type(name, (*mixins, base), {"__module__": __name__, "__doc__": doc})
    setattr(here, name, made)
    return made


def __getattr__(name: str) -> type[Any]:
    """Return a class by its name, for pickle: in another process it may not have been made yet."""
    for base, transport, concurrency in _kinds():
        if name.endswith(base) and name != base:
            mixins = _mixins_named(name.removesuffix(base))
            if mixins:
                return combine(transport=transport, concurrency=concurrency, mixins=mixins)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _kinds() -> list[tuple[str, str, str]]:
    """Return the name of every class of the family, with its transport and concurrency; the longest names first."""
    kinds = [
        (prefix + suffix, transport, concurrency)
        for transport, suffix in TRANSPORTS.items()
        for concurrency, prefix in CONCURRENCIES.items()
    ]
    return sorted(kinds, key=lambda kind: -len(kind[0]))


def _mixins_named(prefix: str) -> list[type[Any]]:
    """Return windsock's own mix-ins by the beginnings of their names, one after the other; none if any is unknown."""
    try:
        security = importlib.import_module("windsock.security")  # ssl and all, on first use only
    except ImportError:
        return []
    own: dict[str, type[Any]] = {
        name.removesuffix("MixIn"): getattr(security, name) for name in security.__all__ if name.endswith("MixIn")
    }
    found = []
    while prefix:
        name = next((name for name in own if prefix.startswith(name)), None)
        if name is None:
            return []
        found.append(own[name])
        prefix = prefix.removeprefix(name)
    return found
