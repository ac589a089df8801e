"""Async handlers: recognize them, and run their methods in order."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from windsock.errors import UsageError
from windsock.net.callbacks import nothing

__all__ = ["is_async", "name_of", "refuse_async", "run_class"]

STEPS = ("setup", "handle", "finish")
REMEDY = "only a trio server runs async handlers: TrioTCPServer, or concurrency='trio'"


def is_async(handler: Any) -> bool:
    """Return whether a handler is async: a class with an async method, or an async function."""
    if isinstance(handler, type):
        return _has_async_step(handler)
    if isinstance(handler, functools.partial):
        return is_async(handler.func)
    if inspect.isroutine(handler):
        return inspect.iscoroutinefunction(handler)
    kind: Any = type(handler)
    return _has_async_call(kind)


@functools.lru_cache(maxsize=256)
def _has_async_step(handler_class: Any) -> bool:
    return any(inspect.iscoroutinefunction(getattr(handler_class, step, None)) for step in STEPS)


@functools.lru_cache(maxsize=256)
def _has_async_call(kind: Any) -> bool:
    return inspect.iscoroutinefunction(vars(kind).get("__call__"))


def name_of(handler: Any) -> str:
    """Return the name of a handler, for messages."""
    return str(getattr(handler, "__name__", None) or repr(handler))


def refuse_async(server: Any, handler: Any) -> None:
    """Raise UsageError if the handler is async and this server cannot run async handlers."""
    if not getattr(server, "takes_async_handlers", False) and is_async(handler):
        raise UsageError(f"handler {name_of(handler)} is async, and {type(server).__name__} is not: {REMEDY}")


def refuse_coroutine(method: Any, result: Any) -> None:
    """Raise UsageError if a handler's method returned a coroutine, which a blocking server cannot run."""
    if inspect.iscoroutine(result):
        result.close()  # prevents the warning "never awaited"
        raise UsageError(f"{method.__qualname__}() is async, and its server is not: {REMEDY}")


async def run_class(handler_class: Any, request: Any, client_address: Any, server: Any, given: dict[str, Any]) -> None:
    """Create a handler and run its methods, any of which may be async.

    The instance has the attributes `given` besides the usual three.
    """
    handler = handler_class.__new__(handler_class)
    handler.request = request
    handler.client_address = client_address
    handler.server = server
    vars(handler).update(given)
    try:
        await _step(handler.setup)
    except BaseException:
        getattr(handler, "_close_files", nothing)()  # a class of another family need not have it
        raise
    try:
        if getattr(handler, "timeout", None) is not None and hasattr(request, "setblocking"):
            request.setblocking(False)  # a blocking setup() may have set a timeout
        beside = getattr(handler, "run_beside", None)
        await (_step(handler.handle) if beside is None else beside(handler.handle))
    finally:
        await _step(handler.finish)


async def _step(method: Any) -> None:
    result = method()
    if result is not None and inspect.isawaitable(result):
        await result
