"""Faults as a command line has them: the arguments of `server.fault(...)` as text, read and never executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from windsock import faults
from windsock.errors import UnknownKeyword, UsageError
from windsock.faults import Fault, Selector, profiles

__all__ = ["FaultTextError", "fault_from"]

CALL = "fault("
"""What stands in front of the text, so that Python can parse it."""
OWN = ("name", "allow_unfired")
"""Keywords of a fault that no selector has."""


class FaultTextError(UsageError):
    """The text of a fault cannot be used. `text` is the text, `column` where it goes wrong, from 1, and `why`."""

    def __init__(self, text: str, column: int, why: str) -> None:
        self.text = text
        self.column = column
        self.why = why
        super().__init__(f"fault {text!r}, column {column}: {why}\n  {text}\n  {' ' * (column - 1)}^")


def fault_from(text: str) -> tuple[Any, dict[str, Any]] | profiles.Profile:
    """Return what `faults=` takes for a text such as `Reset(after_bytes=10), direction="downstream"`, or `flaky`.

    Values are literals, faults, profiles, `first(2)`, `slice(...)`, `range(...)` and `re.compile(b"...")`. Raises
    FaultTextError.
    """
    return _FaultText(text).fault()


def _checked_pattern(pattern: Any) -> re.Pattern[bytes]:
    if not isinstance(pattern, bytes):
        raise UsageError(f're.compile({pattern!r}): expected bytes, such as re.compile(b"GET .*")')
    return re.compile(pattern)


@cache
def _callables() -> Mapping[str, Callable[..., Any]]:
    """Return what may be called, by its name."""
    kinds = {name: getattr(faults, name) for name in faults.__all__}
    found: dict[str, Callable[..., Any]] = {
        name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Fault)
    }
    del found["Fault"]
    found |= {"first": faults.first, "fail_first": profiles.fail_first}
    found |= {"slice": slice, "range": range, "re.compile": _checked_pattern}
    return found


@cache
def _values() -> Mapping[str, Any]:
    """Return the profiles by their names."""
    found = {name: getattr(profiles, name) for name in profiles.__all__}
    return {name: value for name, value in found.items() if isinstance(value, profiles.Profile)}


def fault_names() -> list[str]:
    """Return the names of all faults and profiles, for help."""
    return sorted(name for name in (*_callables(), *_values()) if name[0].isupper() or name in profiles.__all__)


class _FaultText:
    """Reads one text."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\n", " ")

    def fault(self) -> tuple[Any, dict[str, Any]] | profiles.Profile:
        call = self._parsed()
        if not call.args:
            raise self._error(call, "expected a fault, such as Delay(0.2)")
        if len(call.args) > 1:
            raise self._error(call.args[1], "expected one fault, then keywords that select where it acts")
        fault = self._value(call.args[0])
        if not isinstance(fault, Fault | profiles.Profile):
            raise self._error(call.args[0], f"expected a fault, such as Delay(0.2), or a profile, got {fault!r}")
        keywords = {name: self._keyword(name, each) for name, each in self._keywords(call)}
        if not isinstance(fault, profiles.Profile):
            return fault, keywords
        if keywords:
            raise self._error(call.keywords[0], "a profile defines itself where its faults apply")
        return fault

    def _parsed(self) -> ast.Call:
        try:
            tree = ast.parse(f"{CALL}{self._text})", mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            place = (getattr(error, "offset", None) or 1) - 1 - len(CALL)
            if place < 0:  # the parenthesis in front of the text is not closed
                raise self._at(len(self._text), "a parenthesis, bracket or quote is not closed") from None
            raise self._at(min(place, len(self._text) - 1), getattr(error, "msg", None) or str(error)) from None
        if not isinstance(tree, ast.Call) or not (isinstance(tree.func, ast.Name) and tree.func.id == CALL[:-1]):
            raise self._at(len(self._text) - 1, "unmatched ')'")
        return tree

    def _keyword(self, name: str, node: ast.keyword) -> Any:
        value = self._value(node.value)
        if name not in OWN:
            try:
                Selector(**{name: value})
            except TypeError:
                known = (*Selector.__dataclass_fields__, *OWN)
                raise self._error(node, str(UnknownKeyword("fault", name, known))) from None
            except UsageError as error:
                raise self._error(node.value, str(error)) from None
        return value

    def _value(self, node: ast.expr) -> Any:
        """Return the value of an expression. Raises FaultTextError for any that is not a value by itself."""
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(node)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return kind(self._value(each) for each in node.elts)
        try:
            return ast.literal_eval(node)
        except ValueError:
            raise self._error(node, "expected a literal: a number, text, bytes, True, False or None") from None

    def _named(self, node: ast.expr) -> Any:
        name = self._name(node)
        if name in _values():
            return _values()[name]
        if name in _callables():
            raise self._error(node, f"{name} has to be called: {name}(...)")
        raise self._unknown(node, name)

    def _called(self, node: ast.Call) -> Any:
        name = self._name(node.func)
        if name not in _callables():
            raise self._unknown(node.func, name)
        values = [self._value(each) for each in node.args]
        keywords = {key: self._value(each.value) for key, each in self._keywords(node)}
        try:
            return _callables()[name](*values, **keywords)
        except (TypeError, ValueError, re.error) as error:  # a UsageError is a ValueError
            raise self._error(node, str(error).replace(".__init__()", "()")) from None

    def _keywords(self, node: ast.Call) -> list[tuple[str, ast.keyword]]:
        starred = [each for each in node.keywords if each.arg is None]
        if starred:
            raise self._error(starred[0], "expected keywords one by one, without **")
        return [(each.arg, each) for each in node.keywords if each.arg is not None]

    def _name(self, node: ast.expr) -> str:
        """Return a name, without the modules in which faults and profiles are."""
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            name = f"{self._name(node.value)}.{node.attr}"
            return re.sub(r"^(windsock\.)?(faults\.)?(profiles\.)?", "", name)
        raise self._error(node, "expected the name of a fault or a profile")

    def _unknown(self, node: ast.expr, name: str) -> FaultTextError:
        from difflib import get_close_matches

        names = fault_names()
        close = get_close_matches(name, names, n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        return self._error(node, f"there is no fault or profile {name!r}; {hint}There are {', '.join(names)}")

    def _error(self, node: ast.expr | ast.keyword, why: str) -> FaultTextError:
        ahead = f"{CALL}{self._text}".encode()[: node.col_offset].decode(errors="replace")  # it counts bytes
        return self._at(len(ahead) - len(CALL), why)

    def _at(self, place: int, why: str) -> FaultTextError:
        return FaultTextError(self._text, min(max(place, 0), len(self._text)) + 1, why)
