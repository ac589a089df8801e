"""A Python file with the rules of a fake: `rules(server)`, `options`, or both."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.net.system import os

__all__ = ["RulesFailed", "RulesFile", "read_rules"]


class RulesFailed(UsageError):
    """A file with rules raised an exception. `path` is the file; the message has the lines that led to it."""

    def __init__(self, path: str, error: BaseException) -> None:
        self.path = path
        frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == path]
        lines = [*traceback.format_list(frames), *traceback.format_exception_only(error)]
        super().__init__(f"{path} failed:\n" + "".join(lines).rstrip())


@dataclass(frozen=True, slots=True)
class RulesFile:
    """What a file defines: `options` are keywords of `windsock.serving()`."""

    path: str
    options: dict[str, Any]
    rules: Callable[[Any], object] | None

    def apply(self, server: Any) -> None:
        """Give the server its rules. Raises RulesFailed."""
        if self.rules is not None:
            with _failures_in(self.path):
                self.rules(server)


def read_rules(path: str) -> RulesFile:
    """Run a file, which can import those beside it. Raises UsageError if it cannot be read, or defines nothing."""
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: cannot be read; expected a Python file with `def rules(server):`")
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    with _failures_in(path):
        found = runpy.run_path(path, run_name="windsock_rules")
    rules, options = found.get("rules"), found.get("options", {})
    if not callable(rules) and "options" not in found:
        raise UsageError(f"{path}: defines no rules; expected `def rules(server):`, in which the server gets them")
    if not isinstance(options, dict):
        raise UsageError(f"{path}: options={options!r}: expected a dict of keywords of windsock.serving()")
    return RulesFile(path, options, rules if callable(rules) else None)


@contextmanager
def _failures_in(path: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise RulesFailed(path, error) from error
