"""Whether code has caught an error along with all others: `except Exception`, a bare `except`, `suppress(Exception)`.

Python does not keep which clause has caught an error. The first frame of its traceback is the function that did, and
the function's source has the clauses around the line. Where that leaves a doubt, it was caught on purpose.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
from collections.abc import Iterable, Iterator
from types import FrameType, ModuleType, TracebackType
from typing import Any, TypeAlias

from windsock.errors import WindsockError

__all__ = ["is_caught_with_others"]

CARRIERS = {
    *("_pytest", "pluggy", "pytest_subtests", "pytest_windsock", "windsock"),
    *("anyio", "asyncio", "concurrent", "contextlib", "exceptiongroup", "hypothesis", "outcome", "trio", "unittest"),
}
"""Packages that catch all errors to raise them elsewhere, or to report them."""
EXPECTS = {"raises", "RaisesExc", "RaisesGroup", "assertRaises", "assertRaisesRegex"}
"""Names of context managers that catch what a test expects."""
Clause: TypeAlias = ast.Try | ast.TryStar | ast.With | ast.AsyncWith


def is_caught_with_others(trace: TracebackType, error: BaseException) -> bool:
    """Return whether the function at the start of a traceback has caught the error by a clause for all errors."""
    frame = trace.tb_frame
    if str(frame.f_globals.get("__name__", "")).partition(".")[0] in CARRIERS:
        return False
    for clause in _clauses_around(frame, trace.tb_lineno):
        is_try = isinstance(clause, ast.Try | ast.TryStar)
        found = _is_broad_try(clause, frame, error) if is_try else _is_broad_with(clause, frame, error)
        if found is not None:
            return found
    return False


def _clauses_around(frame: FrameType, line: int) -> list[Clause]:
    """Return the `try` and `with` statements of a function around one of its lines, the innermost first."""
    try:
        tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals)))
    except SyntaxError:
        return []
    found: list[Clause] = []
    for node in _path_to(tree, line):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.clear()
        elif isinstance(node, ast.Try | ast.TryStar):
            if node.body[0].lineno <= line <= (node.body[-1].end_lineno or 0):
                found.insert(0, node)
        elif isinstance(node, ast.With | ast.AsyncWith):
            found.insert(0, node)
    return found


def _path_to(node: ast.AST, line: int) -> Iterator[ast.AST]:
    """Give the nodes that contain a line, from the outermost on."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            first = child.pattern.lineno if isinstance(child, ast.match_case) else child.lineno
            last = child.body[-1].end_lineno if isinstance(child, ast.match_case) else child.end_lineno
            if first <= line <= (last or 0):
                yield child
                yield from _path_to(child, line)
                return


def _is_broad_try(clause: Any, frame: FrameType, error: BaseException) -> bool | None:
    """Return whether a `try` has caught an error along with all others; None if it has not caught it."""
    for handler in clause.handlers:
        if handler.type is None:
            return True
        found = _is_broad([handler.type], frame, error)
        if found is not None:
            return found
    leaves = any(isinstance(each, ast.Return) for part in clause.finalbody for each in ast.walk(part))
    return True if leaves else None


def _is_broad_with(clause: Any, frame: FrameType, error: BaseException) -> bool | None:
    for item in reversed(clause.items):
        expression = item.context_expr
        if isinstance(expression, ast.Call):
            name = getattr(expression.func, "attr", getattr(expression.func, "id", ""))
            found = None
            if name == "suppress" or name in EXPECTS:
                found = _is_broad(expression.args if name == "suppress" else expression.args[:1], frame, error)
        else:
            found = False if hasattr(_value(expression, frame), "expected_exception") else None
        if found is not None:
            return found
    return None


def _is_broad(expressions: Iterable[ast.expr], frame: FrameType, error: BaseException) -> bool | None:
    """Return whether classes that catch an error are not its own; None if they do not catch it, False in doubt."""
    values = [_value(each, frame) for each in expressions]
    classes = list(_classes_in(values))
    if None in classes:
        return False
    catching = [each for each in classes if isinstance(error, each)]
    return None if not catching else not any(issubclass(each, WindsockError) for each in catching)


def _classes_in(value: Any) -> Iterator[Any]:
    """Give the exception classes in nested tuples; None for anything else."""
    if isinstance(value, tuple | list):
        for each in value:
            yield from _classes_in(each)
    else:
        yield value if isinstance(value, type) and issubclass(value, BaseException) else None


def _local(frame: FrameType, name: str) -> Any:
    """Return a function's local variable; up to Python 3.12 its frame keeps the copy that was made of all of them."""
    copy = frame.f_locals
    value = copy.get(name)
    if isinstance(copy, dict):
        copy.clear()
    return value


def _value(expression: ast.expr, frame: FrameType) -> Any:
    """Return the value of a name, an attribute or a tuple of them, without running code; None if it has none."""
    if isinstance(expression, ast.Tuple):
        return tuple(_value(each, frame) for each in expression.elts)
    if isinstance(expression, ast.Name):
        name, code = expression.id, frame.f_code
        if name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
            return _local(frame, name)
        return frame.f_globals.get(name, getattr(builtins, name, None))
    if isinstance(expression, ast.Attribute):
        owner = _value(expression.value, frame)
        find = getattr if isinstance(owner, ModuleType) else inspect.getattr_static
        return find(owner, expression.attr, None)
    return None
