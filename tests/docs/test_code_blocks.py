"""Every code block of README and docs is run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "docs", ROOT / "docs" / "coming-from"]
IN_FOLDERS = [page for folder in FOLDERS for page in sorted(folder.glob("*.md"))]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *IN_FOLDERS]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OF_PEERS = re.compile(r"^<!-- peer: .*?^```$", re.MULTILINE | re.DOTALL)
"""A block with another tool's tests: `make docs` runs it, since only there such tools are installed."""


class CodeBlock(NamedTuple):
    page: str
    line: int
    language: str
    code: str


def blocks(*languages: str) -> Iterator[CodeBlock]:
    for page in PAGES:
        text = OF_PEERS.sub(lambda block: "\n" * block[0].count("\n"), page.read_text())
        for found in FENCE.finditer(text):
            if found[1] in languages:
                yield CodeBlock(name_of(page), text[: found.start()].count("\n") + 1, found[1], found[2])


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT)).removeprefix("docs/")


def by_place(block: CodeBlock) -> str:
    return f"{block.page}:{block.line}"


def is_right_before(code: CodeBlock, shown: CodeBlock) -> bool:
    first_line_after = code.line + code.code.count("\n") + 2
    return (code.page, code.language, shown.language) == (shown.page, "python", "text") and (
        shown.line == first_line_after + 1
    )


WITH_OUTPUT = [pair for pair in pairwise(blocks("python", "text")) if is_right_before(*pair)]
"""The code whose run a page shows, and the `text` block right after it that shows the run's output."""
FAILING = [code for code, _ in WITH_OUTPUT]
PASSING = [block for block in blocks("python") if "def test_" in block.code and block not in FAILING]
SCRIPTS = [block for block in blocks("python") if "def test_" not in block.code]
PYTEST_ASYNCIO = ("-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")
"""It warns if its option is not set."""
NO_DEADLINE = """import hypothesis

hypothesis.settings.register_profile("pages", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("pages")
"""
"""No test is judged by the clock of a busy machine."""
OPTIONS: dict[str, Sequence[str]] = {
    "asyncio.md": PYTEST_ASYNCIO,
    "simulation.md": ["--windsock-seed=1"],
    "neighbours.md": ["-p", "socket", "--disable-socket", "--allow-unix-socket"],
    "weather.md": ["--windsock-seed=123456"],
}
"""Options of the runs that a page shows."""
DIAGRAMS = {
    "plugin/pytest_windsock      fixtures": "the rooms, from top to bottom",
    "windsock cassette 1": "a file",
}
"""The start of each `text` block that is no output, and what it is."""


MANY = ("any_server", "parametrize", "mark.anyio", "against=")
"""What makes several test items of a function."""


def module_of(block: CodeBlock) -> str:
    return f"test_{block.page.removesuffix('.md').replace('/', '_').lower()}_{block.line}"


def outcomes(directory: Path) -> dict[str, list[str]]:
    """Run all blocks in a directory, in one run; return what became of each test, by module."""
    (directory / "conftest.py").write_text(NO_DEADLINE)
    for block in PASSING:
        (directory / f"{module_of(block)}.py").write_text(block.code)
    report = directory / "report.xml"
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-W",
        "error",
        "--timeout",
        "20",
        "--rootdir",
        str(directory),
    ]
    command = [sys.executable, "-m", "pytest", *options, *PYTEST_ASYNCIO, f"--junitxml={report}", str(directory)]

    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)

    found: dict[str, list[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        parts = (case.get("classname") or case.get("name") or "").split(".")  # a class's name may stand behind it
        module = next((each for each in parts if each.startswith("test_")), "")
        found.setdefault(module, []).append("\n".join(each.text or each.tag for each in case) or "passed")
    return found


def has_each_test(block: CodeBlock, seen: list[str]) -> bool:
    tests = len(re.findall(r"^ *(?:async )?def test_", block.code, re.MULTILINE))
    return len(seen) == tests or (len(seen) > tests and any(each in block.code for each in MANY))


@pytest.mark.timeout(320)
def test_the_tests_on_the_pages_pass(tmp_path: Path) -> None:
    found = outcomes(tmp_path)  # one item for all pages: each worker that has one of them would run them all

    seen = {by_place(block): found.get(module_of(block), []) for block in PASSING}
    assert {place: each for place, outcome in seen.items() for each in outcome if each != "passed"} == {}
    assert [by_place(block) for block in PASSING if not has_each_test(block, seen[by_place(block)])] == []


@pytest.mark.parametrize("block", SCRIPTS, ids=by_place)
def test_the_scripts_on_the_page_run(block: CodeBlock, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(block.code)

    command = [sys.executable, "-W", "error", str(script)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(pytest.version_tuple < (8, 4), reason="pytest shows all frames of an exception group before 8.4")
@pytest.mark.parametrize(("code", "shown"), WITH_OUTPUT, ids=by_place)
def test_the_page_shows_what_a_run_prints(code: CodeBlock, shown: CodeBlock, pytester: pytest.Pytester) -> None:
    name = re.findall(r"def (test_\w+)", code.code)[0]
    pytester.makepyfile(**{name: code.code})

    result = pytester.runpytest_subprocess("--timeout", "20", *OPTIONS.get(code.page, []))

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert comparable(shown.code) in comparable(result.stdout.str())


def test_every_text_block_is_output_or_a_diagram() -> None:
    outputs = [shown for _, shown in WITH_OUTPUT]

    rest = [block for block in blocks("text") if block not in outputs]

    assert [by_place(each) for each in rest if not each.code.startswith(tuple(DIAGRAMS))] == []
    assert len(rest) == len(DIAGRAMS)


def comparable(text: str) -> str:
    """Leave out what differs from run to run (times, ports, directories), and all line breaks and indentation."""
    text = re.sub(r"([+-])\d+\.\d{4}", r"\1T", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r'File ".*/', 'File "', text)
    text = re.sub(r"^E  |^-+ | -+$", "", text, flags=re.MULTILINE)  # as wide as the terminal
    text = text.replace("integer division or modulo by zero", "division by zero")  # as Python 3.14 says
    return " ".join(text.split())


def test_every_make_target_on_the_pages_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for block in blocks("console") for name in re.findall(r"^\$ make (\w+)", block.code, re.MULTILINE)}

    assert named
    assert named <= targets


def test_every_link_to_a_page_leads_somewhere() -> None:
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]

    assert links
    assert [f"{name_of(page)}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_each_page_has_a_place_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"

    linked = {(index.parent / link).resolve() for link in re.findall(r"\]\(([\w./-]+\.md)", index.read_text())}

    assert [name_of(page) for page in IN_FOLDERS if page not in linked and page != index] == []


def test_no_block_is_in_a_language_that_nothing_runs() -> None:
    not_run = {"mockwebserver.md": "java", "wiremock.md": "java"}

    found = {(page.name, each[1]) for page in PAGES for each in FENCE.finditer(page.read_text())}

    assert {each for each in found if each[1] not in ("python", "console", "text")} == set(not_run.items())
    assert all("Not run here" in page.read_text() for page in PAGES if page.name in not_run)
