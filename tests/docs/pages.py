"""The pages of the documentation, their blocks of code, and runs of the tests in them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
COOKBOOK = ROOT / "docs" / "cookbook"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RECIPES = sorted(COOKBOOK.glob("*.md"))
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTEST_ASYNCIO = ("-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")
"""It warns if its option is not set."""
Outcomes: TypeAlias = dict[str, list[str]]
"""What became of each test of each block, by module: "passed", or the text of the failure."""


class CodeBlock(NamedTuple):
    page: str
    line: int
    language: str
    code: str


def blocks(*languages: str, pages: Iterable[Path] = PAGES) -> Iterator[CodeBlock]:
    for page in pages:
        text = page.read_text()
        for found in FENCE.finditer(text):
            if found[1] in languages:
                yield CodeBlock(page.name, text[: found.start()].count("\n") + 1, found[1], found[2])


def by_place(block: CodeBlock) -> str:
    return f"{block.page}:{block.line}"


def module_of(block: CodeBlock) -> str:
    return f"test_{Path(block.page).stem.lower()}_{block.line}"


def with_output(pages: Iterable[Path] = PAGES) -> list[tuple[CodeBlock, CodeBlock]]:
    """Return the code whose run a page shows, and the `text` block right after it that shows the run's output."""
    return [pair for pair in pairwise(blocks("python", "text", pages=pages)) if _is_right_before(*pair)]


def _is_right_before(code: CodeBlock, shown: CodeBlock) -> bool:
    first_line_after = code.line + code.code.count("\n") + 2
    return (code.page, code.language, shown.language) == (shown.page, "python", "text") and (
        shown.line == first_line_after + 1
    )


def run(code: Iterable[CodeBlock], directory: Path, *options: str) -> Outcomes:
    """Run the tests of all blocks, in a process of their own."""
    for block in code:
        (directory / f"{module_of(block)}.py").write_text(block.code)
    report = directory / "report.xml"
    fixed = ["-q", "-p", "no:cacheprovider", "--timeout", "20", "--rootdir", str(directory), f"--junitxml={report}"]
    command = [sys.executable, "-m", "pytest", *fixed, *options, *PYTEST_ASYNCIO, str(directory)]

    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)

    found: Outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        parts = (case.get("classname") or case.get("name") or "").split(".")  # a class's name may stand behind it
        module = next((each for each in parts if each.startswith("test_")), "")
        found.setdefault(module, []).append("\n".join(each.text or each.tag for each in case) or "passed")
    return found


def once(name: str, factory: pytest.TempPathFactory, work: Callable[[Path], Outcomes]) -> Outcomes:
    """Return what the work returns, which the first worker of xdist that comes does for all."""
    directory = factory.mktemp(name)
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run_id is None:
        return work(directory)
    with (factory.getbasetemp().parent / f"{name}-{run_id}.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        if not text:
            text = json.dumps(work(directory))
            file.write(text)
    found: Outcomes = json.loads(text)
    return found


def comparable(text: str) -> str:
    """Leave out what differs from run to run (times, ports, directories), and all line breaks and indentation."""
    text = re.sub(r"([+-])\d+\.\d{4}", r"\1T", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r'File ".*/', 'File "', text)
    text = re.sub(r"^E  |^-+ | -+$", "", text, flags=re.MULTILINE)  # as wide as the terminal
    text = text.replace("integer division or modulo by zero", "division by zero")  # as Python 3.14 says
    return " ".join(text.split())
