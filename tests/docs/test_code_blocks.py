"""Every code block of README and docs is run; those of the cookbook by test_cookbook.py."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.docs.pages import (
    FENCE,
    PAGES,
    PYTEST_ASYNCIO,
    RECIPES,
    ROOT,
    CodeBlock,
    Outcomes,
    blocks,
    by_place,
    comparable,
    module_of,
    once,
    run,
    with_output,
)

WITH_OUTPUT = with_output()
FAILING = [code for code, _ in WITH_OUTPUT]
PASSING = [block for block in blocks("python") if "def test_" in block.code and block not in FAILING]
SCRIPTS = [block for block in blocks("python") if "def test_" not in block.code]
OPTIONS: dict[str, Sequence[str]] = {
    "asyncio.md": PYTEST_ASYNCIO,
    "neighbours.md": ["--disable-socket", "--allow-unix-socket"],
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


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What became of each test of each block: one run for all pages."""
    return once("pages", tmp_path_factory, lambda directory: run(PASSING, directory, "-W", "error"))


@pytest.mark.timeout(320)
@pytest.mark.parametrize("block", PASSING, ids=by_place)
def test_the_tests_on_the_page_pass(block: CodeBlock, outcomes: Outcomes) -> None:
    seen = outcomes[module_of(block)]

    tests = len(re.findall(r"^ *(?:async )?def test_", block.code, re.MULTILINE))
    assert [each for each in seen if each != "passed"] == []
    assert len(seen) == tests or (len(seen) > tests and any(each in block.code for each in MANY))


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


def test_every_make_target_on_the_pages_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for block in blocks("console") for name in re.findall(r"^\$ make (\w+)", block.code, re.MULTILINE)}

    assert named
    assert named <= targets


def test_every_link_to_a_page_leads_somewhere() -> None:
    pages = [*PAGES, *RECIPES]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)[#)]", page.read_text())]

    assert links
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_no_block_is_in_a_language_that_nothing_runs() -> None:
    known = {"python", "console", "text"}

    assert {found[1] for page in [*PAGES, *RECIPES] for found in FENCE.finditer(page.read_text())} <= known
