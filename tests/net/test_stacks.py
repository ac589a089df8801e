"""The stacks of other threads, which go on and end while they are looked at."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.processes import ended_well, forked
from tests.support.waiting import DEADLINE
from windsock.net.collector import resting
from windsock.net.stacks import stack_of, stacks

LOOKS = """
import gc, os, sys, threading, time
from {module} import {name}

class Junk:
    def __init__(self):
        self.cycle = self
    def __del__(self):
        time.sleep(1e-5)  # lets other threads run

def deep(left):
    Junk() if left == 0 else deep(left - 1)

def run():
    while True:
        threads = [threading.Thread(target=deep, args=(150,)) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

for _ in range(2):
    threading.Thread(target=run, daemon=True).start()
sys.setswitchinterval(1e-5)
gc.set_threshold(25)
until = time.monotonic() + 2
while time.monotonic() < until:
    {look}
print("done")
sys.stdout.flush()
os._exit(0)
"""
LOOKERS = [
    ("windsock.net.stacks", "stacks", "stacks()"),
    ("windsock.net.whereabouts", "places", "list(places())"),
    ("windsock.findings.places", "places_of_threads", "list(places_of_threads())"),
    ("pytest_windsock.debuggers", "are_at_work", "[are_at_work(each.ident) for each in threading.enumerate()]"),
]


@pytest.mark.parametrize(("module", "name", "look"), LOOKERS, ids=[name for _, name, _ in LOOKERS])
def test_threads_that_end_meanwhile_crash_nothing(module: str, name: str, look: str) -> None:
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root / "src"), str(root / "plugin")])
    code = LOOKS.format(module=module, name=name, look=look)

    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=DEADLINE * 3,
        check=False,
    )

    assert (run.returncode, run.stdout) == (0, "done\n"), run.stderr


def test_the_frames_of_a_thread_are_the_innermost_first() -> None:
    is_there, goes_on = threading.Event(), threading.Event()

    def outer() -> None:
        inner()

    def inner() -> None:
        is_there.set()
        goes_on.wait(DEADLINE)

    thread = threading.Thread(target=outer)
    thread.start()
    assert is_there.wait(DEADLINE)
    names = [each.f_code.co_name for each in stack_of(thread.ident or 0)]
    others = stacks()
    goes_on.set()
    thread.join(DEADLINE)

    assert names.index("inner") < names.index("outer")
    assert [each.f_code.co_name for each in others[thread.ident or 0]][-len(names) :] == names
    assert stack_of(thread.ident or 0) == []


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_is_as_it_was_afterwards(is_enabled: bool) -> None:
    if not is_enabled:
        gc.disable()
    try:
        stacks()
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()


def test_it_runs_in_a_child_that_is_forked_while_it_rests() -> None:
    def check() -> None:
        assert gc.isenabled()

    with resting():
        assert not gc.isenabled()
        assert ended_well(forked(check))
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_rests_until_the_last_block_has_ended() -> None:
    with resting():
        with resting():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
