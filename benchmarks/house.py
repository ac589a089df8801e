"""Figures of the code itself: sizes, circles of imports, private accesses, and the way of a relayed connection.

`python -m benchmarks house` measures this tree, `python -m benchmarks.house DIRECTORY` prints those of another one.
"""

from __future__ import annotations

import ast
import collections
import math
import socket
import statistics
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.table import Bound, Result

LONG_FILE = 300
MANY_PARAMETERS = 7
PUBLIC_DOUBLES = {"HalfClose", "Pause", "Reset", "Resume", "Stall"}
"""Steps of scripts and faults that share a name: `Script().reset()`, `faults.Reset()`."""
NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}
"""Public attributes of named tuples, in spite of their names."""
MODULES = {"os", "sys", "ssl", "socket", "threading", "greenlet", "trio"}
"""Modules whose functions begin with an underscore for reasons of their own, such as `os._exit`."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Tree:
    """The parsed files of src/."""

    def __init__(self, root: Path) -> None:
        self.source = root / "src"
        self.texts = {path: path.read_text() for path in sorted(self.source.rglob("*.py"))}
        self.parsed = {path: ast.parse(text) for path, text in self.texts.items()}

    def nodes(self) -> Iterator[tuple[Path, ast.AST]]:
        """Yield each node with its file."""
        for path, tree in self.parsed.items():
            for node in ast.walk(tree):
                yield path, node

    def functions(self) -> list[Function]:
        """Return all functions and methods."""
        return [node for _, node in self.nodes() if isinstance(node, Function)]

    def lines(self) -> int:
        """Return the number of lines."""
        return sum(text.count("\n") for text in self.texts.values())

    def long_files(self) -> list[Path]:
        """Return the files with more lines than they should have."""
        return [path for path, text in self.texts.items() if text.count("\n") > LONG_FILE]

    def function_lengths(self) -> tuple[int, int]:
        """Return the median and the 90th percentile of the lines of a function, without its docstring."""
        lengths = sorted(map(_length, self.functions()))
        return round(statistics.median(lengths)), lengths[len(lengths) * 9 // 10]

    def functions_with_many_parameters(self) -> int:
        """Return the number of functions with more parameters than seven, `self` apart."""
        return sum(_parameters(each) > MANY_PARAMETERS for each in self.functions())

    def private_accesses(self) -> list[str]:
        """Return the places where an attribute of another object is used whose name begins with an underscore."""
        return [
            f"{path.relative_to(self.source)}:{node.lineno}: {ast.unparse(node)}"
            for path, node in self.nodes()
            if isinstance(node, ast.Attribute) and _is_private(node.attr) and not _is_own(node.value)
        ]

    def classes_with_two_meanings(self) -> dict[str, int]:
        """Return the names that several classes have."""
        names = collections.Counter(node.name for _, node in self.nodes() if isinstance(node, ast.ClassDef))
        return {name: count for name, count in names.items() if count > 1 and name not in PUBLIC_DOUBLES}

    def circles(self) -> list[list[str]]:
        """Return the groups of files that import each other, imports for type checking included."""
        modules = {_module(path.relative_to(self.source)): path for path in self.parsed}
        graph = {name: _imported(self.parsed[path], modules) - {name} for name, path in modules.items()}
        return [sorted(group) for group in _components(graph) if len(group) > 1]


def _length(function: Function) -> int:
    end = function.end_lineno or function.lineno
    documented = function.body[0] if ast.get_docstring(function) is not None else None
    docstring = 0 if documented is None else (documented.end_lineno or 0) - documented.lineno + 1
    return end - function.lineno + 1 - docstring


def _parameters(function: Function) -> int:
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLE


def _is_own(value: ast.expr) -> bool:
    """Return whether it is the object itself, its class, its parent, or a module."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in ("super", "type")
    return isinstance(value, ast.Name) and (value.id in ("self", "cls") or value.id in MODULES)


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.Module, modules: dict[str, Path]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found & modules.keys()


def _components(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the strongly connected components (Tarjan, "Depth-first search and linear graph algorithms", 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for each in graph[node]:
            if each not in order:
                visit(each)
                lowest[node] = min(lowest[node], lowest[each])
            elif each in stack:
                lowest[node] = min(lowest[node], order[each])
        if lowest[node] == order[node]:
            group = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            found.append(group)

    for node in graph:
        if node not in order:
            visit(node)
    return found


def relayed_connection() -> tuple[set[str], int]:
    """Return the files that the accept of a relayed connection passes through, and the calls of one round trip.

    Calls are those of Python and C functions in the threads of the server and its relay.
    """
    import windsock

    calls: collections.Counter[str] = collections.Counter()

    def count(frame: Any, event: str, _: object) -> None:
        if event in ("call", "c_call"):
            calls[frame.f_code.co_filename] += 1

    threading.setprofile(count)
    try:
        with windsock.serving(relay=True) as server:
            server.echo()
            files = set()
            for _ in range(2):  # the first one imports
                calls.clear()
                client = socket.create_connection(server.address)
                _exchange(client)
                files = {each for each in calls if "/windsock/" in each}
                calls.clear()
                _exchange(client)
                client.close()
            return files, calls.total()
    finally:
        threading.setprofile(None)


def _exchange(client: socket.socket) -> None:
    client.sendall(b"hello\n")
    assert client.recv(100) == b"hello\n"


def bounds(tree: Tree) -> list[Bound]:
    """Return the figures of a tree that have a bound."""
    median, p90 = tree.function_lengths()
    return [
        Bound(f"files of more than {LONG_FILE} lines", len(tree.long_files()), at_most=4, unit=""),
        Bound("function length, median", median, at_most=6, unit=" lines"),
        Bound("function length, 90th percentile", p90, at_most=15, unit=" lines"),
        Bound("circles of files", len(tree.circles()), at_most=1, unit=""),
        Bound("private attributes of other objects used", len(tree.private_accesses()), at_most=10, unit=""),
        Bound("class names with two meanings", len(tree.classes_with_two_meanings()), at_most=0, unit=""),
    ]


def run(*, is_quick: bool, root: Path | None = None) -> Result:
    """Measure this tree, or another one."""
    del is_quick  # there is nothing to repeat
    tree = Tree(root or Path(__file__).parents[1])
    found = bounds(tree)
    rows = [("lines of src/", str(tree.lines()), "")]
    rows += [
        (
            f"functions with more than {MANY_PARAMETERS} parameters",
            str(tree.functions_with_many_parameters()),
            "",
        )
    ]
    if root is None:
        files, calls = relayed_connection()
        size = sum(tree.texts[Path(each)].count("\n") for each in files)
        fewest = math.ceil(size / LONG_FILE)
        rows.append(("the fewest files that these could be, none of them too long", f"{size} lines, {fewest}", ""))
        found += [
            Bound("files that a relayed accept and its first round trip pass through", len(files), at_most=24, unit=""),
            Bound("calls of a relayed round trip", calls, at_most=150, unit=""),
        ]
    rows += [(each.what, f"{each.figure:g}{each.unit}", each.limit) for each in found]
    return Result("House: figures of the code itself", ("figure", "value", "bound"), rows, found)


def main() -> None:
    """Print the figures of a directory, and where the largest of them come from."""
    root = Path(sys.argv[1])
    tree = Tree(root)
    print("\n".join(run(is_quick=True, root=root).lines()))
    for path in tree.long_files():
        print(f"  {path.relative_to(tree.source)}: {tree.texts[path].count(chr(10))} lines")
    for group in tree.circles():
        print("  a circle:", ", ".join(group))
    for name, count in tree.classes_with_two_meanings().items():
        print(f"  {name}: {count} classes")
    print("\n".join(f"  {each}" for each in tree.private_accesses()))


if __name__ == "__main__":
    main()
