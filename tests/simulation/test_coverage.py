"""Worlds whose threads coverage traces."""

from __future__ import annotations

import sys
from pathlib import Path

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
SUITE = """
import socket, threading
import pytest
from windsock.faults import Reset, first

@pytest.mark.windsock(simulated=True)
def test_it(tcp_server):
    tcp_server.on(b"k").reply(b"v")
    tcp_server.fault(Reset(), connections=first(2))

    def ask():
        try:
            with socket.create_connection(tcp_server.address) as client:
                client.sendall(b"k")
                client.recv(10)
        except OSError:
            pass

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print("", *tcp_server.transcript(), sep="\\n")
"""
RUN = """
import contextlib, sys
import coverage, pytest
folder, seed, is_measured = sys.argv[1:]
measured = coverage.Coverage(data_file=None, config_file=False)
if is_measured == "yes":
    measured.start()
options = ["-q", "-s", f"--windsock-seed={seed}", f"--rootdir={folder}"]
options += ["-pno:cacheprovider", "-pno:randomly", "-pno:asyncio"]
sys.exit(pytest.main([*options, folder]))
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


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_of_pytest_gives_the_same_order_with_and_without_coverage(seed: int, tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)

    runs = [run_python(RUN, str(tmp_path), str(seed), each, COVERAGE_CORE="ctrace") for each in ("yes", "no")]

    measured, other = ([line for line in each.splitlines() if line.startswith("+")] for each in runs)
    assert measured == other
    assert len(measured) > 5


def test_a_coverage_with_unknown_locks_is_refused() -> None:
    assert run_python(UNKNOWN).startswith("simulated worlds do not know the locks of coverage ")


def test_coverage_is_not_taken_for_a_debugger() -> None:
    assert run_python(STANDSTILL, COVERAGE_CORE="ctrace") == "False\n"
