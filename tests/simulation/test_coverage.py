"""Beside coverage, whose tracers disturb the turns of threads, a world is refused."""

from __future__ import annotations

from tests.support.processes import run_python

MEASURED = """
import coverage
measured = coverage.Coverage(data_file=None)
measured.start()
import windsock
try:
    with windsock.simulated():
        pass
except windsock.Unsupported as reason:
    print(reason)
measured.stop()
with windsock.simulated() as world:
    print(world.now)
"""


def test_a_world_is_refused_while_coverage_traces() -> None:
    assert run_python(MEASURED, COVERAGE_CORE="ctrace") == (
        "simulated worlds do not run while coverage traces threads; run these tests without --cov\n0.0\n"
    )
