"""The tests of the cookbook run, each with the library that its page is about."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from tests.docs.pages import (
    COOKBOOK,
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

WITH_OUTPUT = with_output(RECIPES)
FAILING = [code for code, _ in WITH_OUTPUT]
TESTS = list(blocks("python", pages=RECIPES))
PASSING = [block for block in TESTS if block not in FAILING]
OF_PYTHON = {"logging", "smtplib", "syslog", "xmlrpc"}
"""Pages about modules of the standard library."""
IN_TEST_GROUP = {"dnspython", "paho-mqtt", "psycopg", "pymodbus", "redis-py", "requests", "urllib3", "websockets"}
"""Pages about libraries that other tests need too."""


def requirements() -> dict[str, Requirement]:
    """Return the dependency group `cookbook`, by the names of the pages."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        group = tomllib.load(file)["dependency-groups"]["cookbook"]
    return {each.name: each for each in map(Requirement, group)}


def has_library(page: str) -> bool:
    needed = requirements().get(page.removesuffix(".md"))
    return needed is None or needed.marker is None or needed.marker.evaluate()


def skip_without_library(block: CodeBlock) -> None:
    if not has_library(block.page):
        pytest.skip(f"there is no wheel for this interpreter, as pyproject.toml says: {block.page}")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What became of each test: one run for all pages. Libraries may warn of what they do themselves."""
    code = [block for block in TESTS if has_library(block.page)]
    return once("cookbook", tmp_path_factory, lambda directory: run(code, directory))


@pytest.mark.timeout(320)
@pytest.mark.parametrize("block", PASSING, ids=by_place)
def test_the_test_on_the_page_passes(block: CodeBlock, outcomes: Outcomes) -> None:
    skip_without_library(block)

    assert outcomes[module_of(block)] == ["passed"]


@pytest.mark.timeout(320)
@pytest.mark.parametrize(("code", "shown"), WITH_OUTPUT, ids=by_place)
def test_the_page_shows_what_windsock_concludes(code: CodeBlock, shown: CodeBlock, outcomes: Outcomes) -> None:
    skip_without_library(code)

    (failure,) = outcomes[module_of(code)]

    assert comparable(shown.code) in comparable(failure)


def test_the_index_has_a_line_for_each_page() -> None:
    links = re.findall(r"^- \[.+\]\((.+\.md)\): ", (COOKBOOK / "index.md").read_text(), re.MULTILINE)

    assert sorted(links) == [page.name for page in RECIPES if page.name != "index.md"]


def test_each_page_has_a_test_a_source_and_further_reading() -> None:
    for page in RECIPES:
        if page.name != "index.md":
            text = page.read_text()
            assert "def test_" in text, page.name
            assert re.search(r"\]\(https://", text.partition("```")[0]), page.name
            assert re.search(r"^Read on: ", text, re.MULTILINE), page.name


def test_each_library_is_installed_where_it_can_be() -> None:
    for name, needed in requirements().items():
        if has_library(name):
            assert metadata.version(needed.name) in needed.specifier
    assert {page.stem for page in RECIPES} - {"index"} - OF_PYTHON - IN_TEST_GROUP == set(requirements())


def test_every_text_block_is_output() -> None:
    assert list(blocks("text", pages=RECIPES)) == [shown for _, shown in WITH_OUTPUT]
