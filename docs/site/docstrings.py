"""Docstrings as Sphinx takes them: they are written like the pages, with `code` in backticks and indented examples."""

from __future__ import annotations

import builtins
import inspect
import re
from typing import Any

CODE = re.compile(r"(`[^`]*`)")


def as_restructured_text(lines: list[str]) -> list[str]:
    """Return the lines of a docstring in Sphinx's markup: asterisks are asterisks, indented paragraphs are code."""
    found: list[str] = []
    in_code = False
    for line in lines:
        if line and not line.startswith("    "):
            in_code = False
        elif line and not in_code and found and not found[-1]:
            in_code = True
            found += ["::", ""]
        found.append(line if in_code else escaped(line))
    return found


def escaped(line: str) -> str:
    """Return a line in which asterisks outside of backticks are text."""
    parts = CODE.split(line)
    return "".join(part if CODE.fullmatch(part) else part.replace("*", r"\*") for part in parts)


def process(app: Any, what: str, name: str, value: object, options: Any, lines: list[str]) -> None:
    """Replace the lines of a docstring."""
    lines[:] = as_restructured_text(lines)


def leave_out(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what a class has from the standard library: its methods are described there."""
    owner = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", "")
    is_ours = str(owner).startswith(("windsock", "pytest_windsock"))
    return True if inspect.isroutine(value) and not is_ours else None


def keep_builtins(app: Any, doctree: Any) -> None:
    """Have the names of builtin types in signatures lead nowhere: Sphinx would take `type` for any attribute `type`."""
    for node in doctree.findall(lambda each: getattr(each, "tagname", "") == "pending_xref"):
        if hasattr(builtins, node.get("reftarget", "")):
            node.attributes.pop("refspecific", None)
