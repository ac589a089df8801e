"""Worlds whose threads coverage traces."""

from __future__ import annotations

import sys

import pytest

from tests.support.processes import run_python

UNMEASURED = """
from tests.simulation.determinism import order_of
print(*(order_of(seed) for seed in range(10)))
"""
MEASURED = f"""
import coverage, tempfile
with tempfile.TemporaryDirectory() as folder:
    measured = coverage.Coverage(data_file=folder + "/data", config_file=False)
    measured.start()
    {UNMEASURED.strip().replace(chr(10), chr(10) + "    ")}
    measured.stop()
    assert len(measured.get_data().lines(order_of.__code__.co_filename)) > 15
"""
UNKNOWN = """
import coverage, windsock
measured = coverage.Coverage(data_file=None, config_file=False)
measured.start()
measured._collector.data_lock = None
measured._collector.tracers.clear()
try:
    with windsock.simulated():
        pass
except windsock.Unsupported as reason:
    print(reason)
"""
STANDSTILL = """
import coverage
measured = coverage.Coverage(data_file=None, config_file=False)
measured.start()
from windsock.simulation import tracers
print(tracers.are_debugging())
"""


@pytest.mark.parametrize("core", ["ctrace", "pytrace", "sysmon"])
def test_the_order_of_threads_is_the_same_with_and_without_coverage(core: str) -> None:
    if core == "sysmon" and sys.version_info < (3, 12):
        pytest.skip("sys.monitoring begins with Python 3.12")

    assert run_python(MEASURED, COVERAGE_CORE=core) == run_python(UNMEASURED)


def test_a_coverage_with_unknown_locks_is_refused() -> None:
    assert run_python(UNKNOWN).startswith("simulated worlds do not know the locks of coverage ")


def test_coverage_is_not_taken_for_a_debugger() -> None:
    assert run_python(STANDSTILL, COVERAGE_CORE="ctrace") == "False\n"
