"""Whether a thread is as it was when it was new: only such a one may do another job."""

from __future__ import annotations

import gc
import signal
import sys
import weakref
from collections.abc import Set
from typing import Any

from windsock.net.system import threading

__all__ = ["Slate", "threads_are_traced"]

HARMLESS = {"Py_Repr"}
"""Keys of a thread's state that say nothing: repr() has been there."""


class Slate:
    """What one thread has of its own. Made by the thread before its first job, and asked by it after each.

    What it finds: values of `threading.local`, what extensions keep in the thread's state (asyncio's running loop),
    traces and profiles, the signal mask. What nobody can find: what C libraries and the kernel have for a thread,
    as its nice value. Not to be kept longer than the thread.
    """

    def __init__(self) -> None:
        self._mask = _signal_mask()
        self._values: _Values | None = None

    def is_clean(self) -> bool:
        """Return whether the thread is as good as a new one; False where nobody can tell."""
        if threads_are_traced() or sys.gettrace() is not None or sys.getprofile() is not None:
            return False
        if _signal_mask() != self._mask:
            return False
        if self._values is None:
            self._values = _Values()
        return self._values.is_visible and not self._values.any()


def threads_are_traced() -> bool:
    """Return whether a new thread would be traced or profiled, as it is where coverage is measured."""
    return threading.gettrace() is not None or threading.getprofile() is not None


class _Values:
    """The thread-local values of the current thread.

    Up to Python 3.12 each `threading.local` that has any keeps something in the dict of PyThreadState_GetDict();
    from 3.13 on it has a weak reference to an object that ends with the thread. Neither is promised, so both are tried
    out: `is_visible` says whether a value shows.
    """

    def __init__(self) -> None:
        self._state = _thread_state()
        probe = threading.local()
        probe.value = None
        self._sentinel = _sentinel_of(probe)
        self.is_visible = self._state is not None and self._count() > 0
        if self.is_visible:
            before = self._count()
            del probe
            self.is_visible = self._count() == before - 1

    def any(self) -> bool:
        """Return whether there are any."""
        return self._count() > 0

    def _count(self) -> int:
        seen = 0 if self._sentinel is None else weakref.getweakrefcount(self._sentinel)
        return seen + len(self._state.keys() - HARMLESS) if self._state else seen


def _thread_state() -> dict[Any, Any] | None:
    """Return the dict that the interpreter and extensions keep for the current thread; None if it can't be had."""
    try:
        import ctypes

        get = ctypes.PYFUNCTYPE(ctypes.c_void_p)(("PyThreadState_GetDict", ctypes.pythonapi))
    except (ImportError, AttributeError, OSError, MemoryError):  # the last where no memory may be executable
        return None
    address = get()  # a borrowed reference: as a py_object it would be given back without having been taken
    return None if address is None else ctypes.cast(address, ctypes.py_object).value


def _sentinel_of(local: threading.local) -> Any:
    """Return the object that ends with the current thread, from a thread-local object that has a value here."""
    for found in gc.get_referents(local):
        if isinstance(found, set):
            return next((each() for each in found if isinstance(each, weakref.ref)), None)
    return None


def _signal_mask() -> Set[object]:
    return signal.pthread_sigmask(signal.SIG_BLOCK, ()) if hasattr(signal, "pthread_sigmask") else frozenset()
