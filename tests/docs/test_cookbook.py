"""The tests of the cookbook run, each with the library that its page is about."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement

from tests.docs.test_code_blocks import FENCE, ROOT, comparable

COOKBOOK = ROOT / "docs" / "cookbook"
PAGES = [page for page in sorted(COOKBOOK.glob("*.md")) if page.name != "index.md"]
OF_PYTHON = {"logging", "smtplib", "syslog", "xmlrpc"}
"""Pages about modules of the standard library."""
IN_TEST_GROUP = {"dnspython", "paho-mqtt", "psycopg", "pymodbus", "redis-py", "requests", "urllib3", "websockets"}
"""Pages about libraries that other tests need too."""
Outcomes: TypeAlias = dict[str, str]
"""What became of the test of each block, by module: "passed", or the text of the failure."""


class Example(NamedTuple):
    """A block of a page with one test. `shown` is what its failure prints; of a test that passes it is empty."""

    page: str
    number: int
    code: str
    shown: str

    @property
    def module(self) -> str:
        return f"test_{self.page}_{self.number}"


def examples() -> Iterator[Example]:
    for page in PAGES:
        found = [(block[1], block[2]) for block in FENCE.finditer(page.read_text())]
        for number, ((language, code), (following, shown)) in enumerate(pairwise([*found, ("", "")])):
            if language == "python":
                yield Example(page.stem, number, code, shown if following == "text" else "")


EXAMPLES = list(examples())


def requirements() -> dict[str, Requirement]:
    """Return the dependency group `cookbook`, by the names of the pages."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        group = tomllib.load(file)["dependency-groups"]["cookbook"]
    return {each.name: each for each in map(Requirement, group)}


def has_library(page: str) -> bool:
    needed = requirements().get(page)
    return needed is None or needed.marker is None or needed.marker.evaluate()


def run(directory: Path) -> Outcomes:
    """Run all examples in one process. Libraries may warn of what they do themselves."""
    for each in EXAMPLES:
        if has_library(each.page):
            (directory / f"{each.module}.py").write_text(each.code)
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "--timeout",
        "20",
        f"--junitxml={directory / 'report.xml'}",
    ]
    command = [sys.executable, "-m", "pytest", *options, "--rootdir", str(directory), str(directory)]

    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)

    cases = ElementTree.parse(directory / "report.xml").iter("testcase")
    return {case.get("classname", ""): "\n".join(each.text or each.tag for each in case) or "passed" for case in cases}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """One run, by the first worker of xdist that comes, for all of them."""
    directory = tmp_path_factory.mktemp("cookbook")
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run_id is None:
        return run(directory)
    with (tmp_path_factory.getbasetemp().parent / f"cookbook-{run_id}.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        if not text:
            text = json.dumps(run(directory))
            file.write(text)
    found: Outcomes = json.loads(text)
    return found


@pytest.mark.timeout(320)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.page}-{example.number}")
def test_an_example_passes_or_fails_as_its_page_shows(example: Example, outcomes: Outcomes) -> None:
    if not has_library(example.page):
        pytest.skip(f"there is no wheel of {example.page} for this interpreter, as pyproject.toml says")

    if example.shown:
        assert comparable(example.shown) in comparable(outcomes[example.module])
    else:
        assert outcomes[example.module] == "passed"


def test_all_blocks_are_examples_and_what_they_print() -> None:
    for page in PAGES:
        languages = [block[1] for block in FENCE.finditer(page.read_text())]
        assert "".join(each[0] for each in languages) in ("p", "ppt"), page.name  # python, text


def test_the_index_has_a_line_for_each_page() -> None:
    links = re.findall(r"^- \[.+\]\((.+\.md)\): ", (COOKBOOK / "index.md").read_text(), re.MULTILINE)

    assert sorted(links) == [page.name for page in PAGES]


def test_each_page_has_a_test_a_source_and_further_reading() -> None:
    for page in PAGES:
        text = page.read_text()
        assert "def test_" in text, page.name
        assert re.search(r"\]\(https://", text.partition("```")[0]), page.name
        (reading,) = re.findall(r"^Read on: .*(?:\n.+)*", text, re.MULTILINE)
        links = re.findall(r"\]\(([^)#:]+)", reading)
        assert links, page.name
        assert [each for each in links if not (COOKBOOK / each).exists()] == [], page.name


def test_each_library_is_installed_where_it_can_be() -> None:
    for name, needed in requirements().items():
        if has_library(name):
            assert metadata.version(needed.name) in needed.specifier
    assert {page.stem for page in PAGES} - OF_PYTHON - IN_TEST_GROUP == set(requirements())
