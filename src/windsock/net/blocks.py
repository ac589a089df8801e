"""Context managers that a test may forget to enter: the call alone does nothing, and the test would pass without it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from contextlib import _GeneratorContextManager

__all__ = ["Block"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Block(AbstractContextManager[T]):
    """A context manager that gives a RuntimeWarning if it is dropped without having been entered.

    `call` is how the test has got it, such as "outage()".
    """

    def __init__(self, call: str, manager: _GeneratorContextManager[T]) -> None:
        self._call = call
        self._manager = manager
        self._was_entered = False

    def __enter__(self) -> T:
        self._was_entered = True
        return self._manager.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool | None:
        __tracebackhide__ = True  # pytest leaves such frames out
        return self._manager.__exit__(kind, error, at)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, each call of which is a block."""
        self._was_entered = True
        return self._manager(function)

    def __del__(self) -> None:
        if not self._was_entered:
            text = f"{self._call} did nothing: expected it in a `with`, whose block it is in force for"
            warnings.warn(text, RuntimeWarning, stacklevel=2, source=self)
