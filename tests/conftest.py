"""What every test of ours has: pytester, to run pytest inside a test; Ctrl-C, as in a terminal; a quick collector."""

from __future__ import annotations

import gc
import signal
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import trustme  # noqa: F401  # inner runs in this process would import cryptography anew, beside what others hold

if TYPE_CHECKING:
    from tests.support.servers import Signal

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parent
NOT_CHECKED_FOR_LEAKS = {"docs", "findings", "neighbours", "packaging", "plugin", "programs"}
"""Folders whose tests run other tests, which are checked in there, or programs, with a check of their own."""
IN_INNER_RUNS = {"subtests", "timeout", "windsock", "xdist", "xdist.looponfail"}
"""The plugins of pytest inside a test. Importing the others takes longer than most such runs; a test that is about one
of them loads it by its name. Those of tests/neighbours have the plugins of the outer run."""
LEFT_OUT = {f"no:{each.name}" for each in entry_points(group="pytest11") if each.name not in IN_INNER_RUNS}

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell has it ignored by what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("windsock", deadline=None)  # no test is judged by the clock of a busy machine
hypothesis.settings.load_profile("windsock")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --one-in."""
    text = "run every Nth of the parameters of each test; which ones depends on the version of Python"
    parser.addoption("--one-in", type=int, default=1, metavar="N", help=text)


@pytest.hookimpl(tryfirst=True)  # before the order is random
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what --one-in leaves out; of each test something stays."""
    step = config.getoption("one_in")
    found: dict[str, list[pytest.Item]] = {}
    for each in items:
        found.setdefault(each.nodeid.partition("[")[0], []).append(each)
    kept = {each for group in found.values() for each in group[sys.version_info.minor % min(step, len(group)) :: step]}
    config.hook.pytest_deselected(items=[each for each in items if each not in kept])
    items[:] = [each for each in items if each in kept]


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what there is by now: to look through it takes longer than most
    tests."""
    _first_example()  # Hypothesis asks at its import, and 6.100 at its first example too, what refers to what
    gc.collect()
    gc.freeze()


@hypothesis.settings(max_examples=1, database=None)
@hypothesis.given(hypothesis.strategies.none())
def _first_example(_: None) -> None:
    """Have Hypothesis make what it makes once."""


@pytest.fixture(autouse=True)
def inner_tests_in_order(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have pytest inside a test run its tests in the order in which they stand: what is shown of them is compared.

    What its failing tests have not closed is collected here: as a warning it would fail whichever test runs later.
    """
    has_inner_tests = "pytester" in request.fixturenames
    if has_inner_tests:
        request.getfixturevalue("pytester")  # which takes the outer run's options away
        left_out = ["no:randomly", *(each for each in request.config.getini("addopts") if each.startswith("no:"))]
        options = " ".join(f"-p {each}" for each in (left_out if "neighbours" in request.path.parts else LEFT_OUT))
        monkeypatch = request.getfixturevalue("monkeypatch")
        monkeypatch.setenv("PYTEST_ADDOPTS", options)
        # a test that writes its module anew, of the same size in the same second, would be given the old bytecode
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        for name in ("CI", "BUILD_NUMBER"):  # with them pytest says more in its summary
            monkeypatch.delenv(name, raising=False)
    yield
    if has_inner_tests:
        with warnings.catch_warnings(action="ignore"):
            gc.collect()


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Threads, children, descriptors and files are after the test what they were before."""
    folders = request.path.relative_to(ROOT).parts[:-1]
    if not NOT_CHECKED_FOR_LEAKS.isdisjoint(folders):
        yield
        return
    from tests.support.leaks import nothing_left, own_temporary_directory  # windsock, which is measured by then

    tmp_path_factory.getbasetemp()  # not in there
    if folders == ("servers", "trio"):
        import trio

        trio.run(trio.sleep, 0)  # what its first run leaves is not the test's
    with own_temporary_directory(), nothing_left():
        yield


@pytest.fixture
def signals(nothing_is_left: None) -> Iterator[list[Signal]]:
    """Two signals between the test and its handlers: the handler's, and the test's."""
    from tests.support.servers import Signal

    made = [Signal(), Signal()]
    yield made
    for signal_ in made:
        signal_.close()
