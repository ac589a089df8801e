"""Failures of `unittest.TestCase` that explain themselves, also with servers that `setUp()` has started."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from windsock.harness.explaining import explain, used_since
from windsock.net.system import monotonic

__all__ = ["ExplainMixIn"]

__unittest = True
"""By this name in a module, unittest leaves the frames of the module out of tracebacks."""


class ExplainMixIn:
    """A mix-in for `unittest.TestCase`, before it among the bases: failures have conclusions and transcripts as notes.

    The servers and proxies may have been started anywhere: in `setUp()`, with `enterContext()`, for the class. What is
    noted on a failure of the test, of a subtest or of `setUp()`, is not raised again by a cleanup.
    """

    def run(self, result: Any = None) -> Any:
        """Run the test. May be extended (call super)."""
        watched = _Watched()
        self.__watched = watched
        with ExitStack() as stack:
            for name in ("setUp", self.id().rpartition(".")[2]):  # type: ignore[attr-defined]
                stack.enter_context(_replaced(self, name, watched))
            return super().run(result)  # type: ignore[misc]

    @contextmanager
    def subTest(self, *what: Any, **params: Any) -> Iterator[None]:  # noqa: N802  # unittest's name
        """Run a part of the test. May be extended (call super)."""
        with super().subTest(*what, **params), self.__watched.part():  # type: ignore[misc]
            yield


class _Watched:
    """Notes on what leaves the functions of one test why that may be."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._part_began = 0.0

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            self._explain(error, is_over=True)

    @contextmanager
    def part(self) -> Iterator[None]:
        """Do so with a part of the test."""
        try:
            yield
        except Exception as error:
            self._explain(error, is_over=False)
            self._part_began = monotonic()
            raise

    def _explain(self, error: Exception, *, is_over: bool) -> None:
        from unittest import SkipTest  # which the test has imported

        if isinstance(error, SkipTest):  # it need not meet what it expected
            for each in used_since(self._began) if is_over else ():
                each.excuse(())
        else:
            explain(error, self._began, part_began=self._part_began, is_over=is_over)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, or coroutine function, with notes on what leaves it."""
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def explained(*args: Any, **keywords: Any) -> Any:
                __tracebackhide__ = True
                with self:
                    return await function(*args, **keywords)

        else:

            @wraps(function)
            def explained(*args: Any, **keywords: Any) -> Any:
                __tracebackhide__ = True
                with self:
                    return function(*args, **keywords)

        return explained


@contextmanager
def _replaced(test: Any, name: str, watched: _Watched) -> Iterator[None]:
    """Have a method watched for the length of a `with`; pytest may have replaced it for its own."""
    own = vars(test)
    before = own.get(name)
    if (method := getattr(test, name, None)) is not None:
        own[name] = watched.around(method)
    try:
        yield
    finally:
        own.pop(name, None)
        if before is not None:
            own[name] = before
