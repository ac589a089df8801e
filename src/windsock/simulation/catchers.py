"""Whether code has caught an error along with all others: `except Exception`, a bare `except`, `suppress(Exception)`.

Python does not keep which clause has caught an error. The first frame of its traceback is the function that did, and
the function's source has the clauses around the line. Where that leaves a doubt, it was caught on purpose: in clauses
with local names, of whose values only the last is known, and in handlers that may raise the error again.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import warnings
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
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Clause: TypeAlias = ast.Try | ast.TryStar | ast.With | ast.AsyncWith


def is_caught_with_others(trace: TracebackType, error: BaseException) -> bool:
    """Return whether the function at the start of a traceback has caught the error by a clause for all errors.

    Raises no error: source that cannot be read is a doubt.
    """
    try:
        return _is_caught_with_others(trace, error)
    except Exception:
        return False


def _is_caught_with_others(trace: TracebackType, error: BaseException) -> bool:
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
    found: list[Clause] = []
    for node in _path_to(_parsed(frame), line):
        if isinstance(node, FUNCTIONS):
            found.clear()
        elif isinstance(node, ast.Try | ast.TryStar | ast.With | ast.AsyncWith) and _contains(node.body, line):
            found.insert(0, node)
    return found


def _parsed(frame: FrameType) -> ast.Module:
    """Return the source of a frame's module; an empty one if there is none."""
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    with warnings.catch_warnings(action="ignore"):  # those about its text have been given at its import
        return ast.parse("".join(lines))


def _contains(body: list[ast.stmt], line: int) -> bool:
    return body[0].lineno <= line <= (body[-1].end_lineno or 0)


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
    """Return whether a `try` has caught an error along with all others; None if it has not, or raises it again."""
    for handler in clause.handlers:
        found = True if handler.type is None else _is_broad([handler.type], frame, error)
        if found is not None:
            return None if found and _may_raise_again(handler) else found
    leaves = any(isinstance(each, ast.Return) for each in _nodes_of(clause.finalbody))
    return True if leaves else None


def _may_raise_again(handler: ast.ExceptHandler) -> bool:
    raises = [each.exc for each in _nodes_of(handler.body) if isinstance(each, ast.Raise)]
    return any(each is None or (isinstance(each, ast.Name) and each.id == handler.name) for each in raises)


def _nodes_of(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Give the nodes of a block that are not in functions defined there."""
    for each in body:
        yield each
        if not isinstance(each, FUNCTIONS):
            yield from _nodes_of(ast.iter_child_nodes(each))


def _is_broad_with(clause: Any, frame: FrameType, error: BaseException) -> bool | None:
    for item in reversed(clause.items):
        call = item.context_expr
        if isinstance(call, ast.Call):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            found = None
            if name == "suppress":
                found = _is_broad(call.args, frame, error)
            elif name in EXPECTS:
                found = _is_broad(call.args[:1], frame, error) if call.args else False
            if found is not None:
                return found
    return None


def _is_broad(expressions: Iterable[ast.expr], frame: FrameType, error: BaseException) -> bool | None:
    """Return whether classes that catch an error are not its own; None if they do not catch it, False in doubt."""
    classes = list(_classes_in([_value(each, frame) for each in expressions]))
    if None in classes:
        return False
    catching = [each for each in type(error).__mro__ if any(each is class_ for class_ in classes)]
    return None if not catching else not any(WindsockError in each.__mro__ for each in catching)


def _classes_in(value: Any) -> Iterator[Any]:
    """Give the exception classes in nested tuples; None for anything else."""
    if type(value) in (tuple, list):
        for each in value:
            yield from _classes_in(each)
    else:
        yield value if isinstance(value, type) and BaseException in type.mro(value) else None


def _value(expression: ast.expr, frame: FrameType) -> Any:
    """Return the value of a global name, of its attribute, or of a tuple of such; None for anything else."""
    if isinstance(expression, ast.Tuple):
        return tuple(_value(each, frame) for each in expression.elts)
    if isinstance(expression, ast.Name):
        name, code = expression.id, frame.f_code
        is_local = name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
        return None if is_local else frame.f_globals.get(name, getattr(builtins, name, None))
    if isinstance(expression, ast.Attribute):
        owner = _value(expression.value, frame)
        return getattr(owner, expression.attr, None) if type(owner) is ModuleType else None
    return None
