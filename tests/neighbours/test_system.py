"""The one place where windsock takes from the standard library what tools replace."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import windsock
from windsock.net import system

MODULES = ("fcntl", "os", "select", "selectors", "socket", "ssl", "threading")
FILES = [
    each for each in Path(windsock.__file__).parent.rglob("*.py") if each.name not in ("system.py", "cooperative.py")
]
LISTED = {
    "fcntl": system.FCNTL,
    "os": system.OS,
    "select": system.SELECT,
    "selectors": system.SELECTORS,
    "socket": f"{system.SOCKET} getaddrinfo socket socketpair",
    "threading": f"{system.THREADING} excepthook",
}


def used(source: str) -> Iterator[tuple[str, str]]:
    """Give (module, name) for what a file uses of the modules that it imports from there."""
    tree = ast.parse(source)
    imports = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    ours = {name.name for each in imports if each.module == "windsock.net.system" for name in each.names}
    for each in ast.walk(tree):
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id in ours & {*MODULES}:
            yield each.value.id, each.attr


def test_what_windsock_uses_is_there() -> None:
    missing = [
        (file.name, module, name)
        for file in FILES
        for module, name in used(file.read_text())
        if not hasattr(getattr(system, module), name)
    ]

    assert missing == []


def test_what_is_there_is_used() -> None:
    found = defaultdict(set, {"os": {"O_TMPFILE"}})
    for file in (*FILES, Path(system.__file__)):
        text = file.read_text()
        for module in MODULES:
            found[module] |= {name for name in LISTED.get(module, "").split() if f"{module}.{name}" in text}
            found[module] |= {name for name in LISTED.get(module, "").split() if f'({module}, "{name}"' in text}

    assert {module: set(names.split()) - found[module] for module, names in LISTED.items()} == {
        module: set() for module in LISTED
    }


def taken_from_the_standard_library(file: Path) -> Iterator[str]:
    text = file.read_text()
    lines = text.splitlines()
    for each in ast.walk(ast.parse(text)):
        if isinstance(each, ast.Import) and any(name.name in MODULES for name in each.names):
            line = lines[each.lineno - 1]
            if "the standard library's own" not in line and "if TYPE_CHECKING:" not in lines[: each.lineno]:
                yield f"{file}:{each.lineno}: {line}"


def test_no_other_file_takes_it_from_the_standard_library() -> None:
    """But for types, and where it says whose code looks there."""
    assert [each for file in FILES for each in taken_from_the_standard_library(file)] == []
