"""The plugin that runs other suites in worlds: what it leaves out, and an entry of its table that is outdated."""

from __future__ import annotations

import pytest

from tests.support.left_out_of_worlds import LEFT_OUT

SUITE = """
import os
import time

import pytest


def test_it_sleeps(tmp_path):
    start = time.time()
    time.sleep(1e6)
    assert time.time() == start + 1e6


@pytest.mark.parametrize("name", ["fork", "getpid"])
def test_calls(name):
    assert getattr(os, name)() > 0
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--one-in', type=int, default=1)")
    pytester.makepyfile(test_suite=SUITE)
    monkeypatch.setitem(LEFT_OUT, "forks here", (r"test_suite.py::test_calls\[fork",))
    return pytester


def run(suite: pytest.Pytester, *options: str) -> pytest.RunResult:
    return suite.runpytest_inprocess("-p", "tests.support.in_world", *options)


def test_each_test_runs_in_a_world_but_for_what_is_left_out(suite: pytest.Pytester) -> None:
    result = run(suite)

    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(["in no world:    1 tests, each of which forks here"])


def test_what_is_left_out_is_tried_by_itself(suite: pytest.Pytester) -> None:
    result = run(suite, "--left-out")

    result.assert_outcomes(xfailed=1, deselected=2)
    assert result.ret == 0


def test_an_entry_none_of_whose_tests_fails_fails_the_run(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LEFT_OUT, "slept for real", ("test_suite.py::test_it_sleeps",))

    result = run(suite, "--left-out")

    result.assert_outcomes(xfailed=1, xpassed=1, deselected=1)
    result.stdout.fnmatch_lines(["ERROR in_world: no test of 'test_suite.py::test_it_sleeps' fails in a world; *"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_an_entry_that_matches_nothing_in_its_file_is_an_error(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LEFT_OUT, "had another name", ("test_suite.py::test_it_slept",))

    result = run(suite)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*left_out_of_worlds.py: no test matches 'test_suite.py::test_it_slept'"])
