"""docs/architecture.md has a line for each file: the first line of its docstring.

`python -m tests.docs.test_architecture` writes these lines anew.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- files: begin -->\n", "<!-- files: end -->\n"


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring, or its first sentence, if that goes on in the next line."""
    documented = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(documented.partition("\n\n")[0].split())


def lines_of(package: Path, prefix: str) -> list[str]:
    """Return a heading for each room of a package, and a table of its files."""
    found: list[str] = []
    for room in sorted({path.parent for path in package.rglob("*.py")}):
        files = sorted(path for path in room.glob("*.py") if path.name != "__init__.py")
        name = str(room.relative_to(package)).replace(".", "", 1) if room == package else str(room.relative_to(package))
        title = f"{prefix}/{name}".rstrip("/")
        found += [f"\n**`{title}`**: {first_line(room / '__init__.py')}\n\n"]
        if files:
            found += ["| file | what it is for |\n|---|---|\n"]
            found += [f"| `{path.name}` | {first_line(path)} |\n" for path in files]
    return found


def written() -> str:
    """Return the part of the page that lists the files."""
    rooms = [
        *lines_of(ROOT / "src" / "windsock", "windsock"),
        *lines_of(ROOT / "plugin" / "pytest_windsock", "pytest_windsock"),
    ]
    return "".join(rooms) + "\n"


def test_the_page_has_a_line_for_each_file_as_its_docstring_says() -> None:
    page = PAGE.read_text()
    listed = page.partition(BEGIN)[2].partition(END)[0]

    missing = [line for line in written().splitlines() if line not in listed.splitlines()]

    assert missing == [], "python -m tests.docs.test_architecture writes them"
    assert listed == written()


def test_the_page_has_the_reason_for_each_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.split(r"[>;\s\[]", each)[0] for group in groups for each in group}

    section = PAGE.read_text().partition("\n## Dependencies\n")[2].partition("\n## ")[0]

    assert names == set(re.findall(r"^\| `([\w-]+)`", section, re.MULTILINE)) - {"hatchling"}


if __name__ == "__main__":
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + BEGIN + written() + END + rest.partition(END)[2])
