"""One program for a whole run: xdist workers that share it, crash, and find it dead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.plugin.conftest import Run
from tests.plugin.test_real_servers import PRELUDE
from tests.support.waiting import wait_until

SHARED = (
    PRELUDE
    + """
import os, pathlib

PIDS = pathlib.Path(__file__).with_name("pids")

@pytest_windsock.program(SERVER, scope="session", shared=True)
def small(server):
    with PIDS.open("a") as file:
        print(server.pid, file=file)
"""
)


def pids_in(pytester: pytest.Pytester) -> list[int]:
    return [int(each) for each in (pytester.path / "pids").read_text().split()]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


@pytest.mark.parametrize("workers", [[], ["-n3"]], ids=["no workers", "three workers"])
def test_there_is_one_for_all_workers_and_none_after_the_run(
    run_apart: Run, pytester: pytest.Pytester, workers: list[str]
) -> None:
    result = run_apart(
        SHARED
        + """
@pytest.mark.parametrize("number", range(6))
def test_it(small, number):
    pid, word = ask(small).split()
    assert (int(pid), word) == (int(PIDS.read_text()), "hello")
    assert small.addresses == {"port": small.direct_address} and os.path.isdir(small.directory)
""",
        *workers,
    )

    result.assert_outcomes(passed=6)
    (pid,) = pids_in(pytester)
    assert is_gone(pid)


def test_fixtures_of_one_name_in_two_conftests_are_two_programs(run_apart: Run, pytester: pytest.Pytester) -> None:
    for each in ("first", "second"):
        place = pytester.mkdir(each)
        (place / "conftest.py").write_text(SHARED)
        (place / f"test_{each}.py").write_text(
            "from pathlib import Path\n\n"
            "def test_it(small):\n"
            "    assert ask(small).split()[0] == Path(__file__).with_name('pids').read_text().strip()\n"
            f"{PRELUDE}"
        )

    result = run_apart("")

    result.assert_outcomes(passed=2)


def test_faults_are_a_tests_own(run_apart: Run) -> None:
    result = run_apart(
        SHARED
        + """
@pytest.mark.parametrize("number", range(4))
def test_it(small, number, fault_proxy):
    assert small.address == small.direct_address
    assert ask(fault_proxy(small)).endswith("hello")
    with small.fault(Delay(0.001)) as late:
        assert ask(small).endswith("hello")
    assert late.fired
    assert small.address != small.direct_address
""",
        "-n2",
    )

    result.assert_outcomes(passed=4)


def test_the_worker_that_has_started_it_may_crash(run_apart: Run, pytester: pytest.Pytester) -> None:
    result = run_apart(
        SHARED
        + """
@pytest.mark.parametrize("number", range(6))
def test_it(small, number):
    assert ask(small).endswith("hello")
    if number == 1 and small.own is not None:
        os._exit(1)

def test_last(small):
    assert ask(small).endswith("hello")
""",
        "-n1",
        "--max-worker-restart=3",
    )

    result.assert_outcomes(passed=6, failed=1)
    first, second = pids_in(pytester)
    assert first != second
    wait_until(lambda: is_gone(first) and is_gone(second))


def test_one_that_has_died_fails_its_test_and_runs_again(run_apart: Run, pytester: pytest.Pytester) -> None:
    result = run_apart(
        SHARED
        + """
def test_first(small):
    die(small.own)

def test_second(small):
    assert ask(small).endswith("hello")
""",
        "-p",
        "no:randomly",
    )

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E *ProgramEnded: *exited with code 1 while the test needed it"])


def test_what_would_disturb_other_workers_says_what_to_do(run: Run) -> None:
    result = run(
        SHARED
        + """
from windsock import UsageError

def test_life(small):
    for name in ("kill", "restart", "pause", "outage", "stop"):
        with pytest.raises(UsageError, match="all workers of the run use this small; shared=False"):
            getattr(small, name)()

def test_process(small):
    with pytest.raises(AttributeError, match="no attribute 'pid'; shared=False gives"):
        small.pid

@pytest_windsock.program([*SERVER[:-1], "{path}"], scope="session", shared=True)
def at_a_path(server):
    pass

def test_path(at_a_path):
    for name in ("host", "port"):
        with pytest.raises(UsageError, match="is at a path, '/.*': expected an address with a port"):
            getattr(at_a_path, name)

@pytest.mark.parametrize("options, message", [
    ({"shared": 1}, "expected True or False"),
    ({"shared": True, "scope": "module"}, "needs scope='session'"),
    ({"shared": True, "scope": "session", "reset": print}, "leave reset out"),
])
def test_values(options, message):
    with pytest.raises(UsageError, match=message):
        pytest_windsock.program(SERVER, **options)

@pytest_windsock.program(SERVER, scope="session", shared=True)
def yields(server):
    yield

def test_yields(yields):
    pass
"""
    )

    result.assert_outcomes(passed=6, errors=1)
    result.stdout.fnmatch_lines(["*UsageError: program(shared=True): yields has a yield; expected a function that is*"])
