"""How a world ends: deadlocks, livelocks, interruptions, and threads that are left."""

from __future__ import annotations

import gc
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import pytest

from windsock.net.wakeup import Wakeup
from windsock.simulation import Deadlock, Livelock, simulated
from windsock.simulation.executors import Executors

HERE = os.path.relpath(__file__)


def test_a_deadlock_says_who_waits_for_what_and_who_holds_it() -> None:
    first, second = threading.Lock(), threading.Lock()

    def other_way_round() -> None:
        with second:
            time.sleep(1)
            with first:
                pass

    def lock_both() -> None:
        threading.Thread(target=other_way_round, name="worker").start()
        with first:
            time.sleep(2)
            with second:
                pass

    with pytest.raises(Deadlock) as caught, simulated(seed=3):
        lock_both()

    main, worker = caught.value.waits
    assert main.startswith(f"main waits for a lock held by worker, since 2 s, at {HERE}:")
    assert worker.startswith(f"worker waits for a lock held by main, since 1 s, at {HERE}:")
    assert worker.endswith("other_way_round")
    assert "(2 s, seed 3)" in str(caught.value)


def test_the_line_of_a_wait_is_the_tests_not_the_librarys() -> None:
    with (
        pytest.raises(Deadlock, match=r"main waits in Queue.get\(\) for a notification, since 0 s, at .*worlds\.py"),
        simulated(),
    ):
        queue.Queue[int]().get()


def test_threads_that_wake_each_other_without_end_are_a_livelock() -> None:
    def pass_on(mine: threading.Event, yours: threading.Event) -> None:
        while mine.wait():
            mine.clear()
            yours.set()

    def begin() -> None:
        events = threading.Event(), threading.Event()
        for pair in (events, events[::-1]):
            threading.Thread(target=pass_on, args=pair).start()
        events[0].set()
        time.sleep(1)

    with pytest.raises(Livelock, match="300 steps"), simulated(seed=1, most_steps=300):
        begin()


def test_a_loop_without_end_that_reads_the_clock_is_a_livelock() -> None:
    def spin() -> None:
        while True:
            time.monotonic()

    with pytest.raises(Livelock, match="500 steps"), simulated(seed=1, most_steps=500):
        spin()


def test_threads_finish_what_is_due_before_they_are_ended() -> None:
    seen: list[str] = []

    def work() -> None:
        time.sleep(9)
        seen.append("done")
        time.sleep(1e6)
        seen.append("too late")

    with simulated(seed=1):
        thread = threading.Thread(target=work)
        thread.start()
    thread.join(timeout=10)

    assert seen == ["done"]
    assert not thread.is_alive()


def test_what_wakes_the_loops_of_one_world_closes_nothing_of_the_next() -> None:
    with simulated(seed=1):
        old, number = Wakeup(), os.eventfd(0)
    with simulated(seed=1):
        mine = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]
        assert number in mine
        old.close()

        assert [os.write(each, (1).to_bytes(8, "little")) for each in mine] == [8, 8]


def test_what_wakes_the_loops_of_no_world_is_closed_in_one() -> None:
    real = Wakeup()
    number = real.fileno()
    with simulated(seed=1):
        real.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_thread_cleans_up_at_its_end_even_if_that_waits() -> None:
    seen: list[str] = []

    def work() -> None:
        try:
            threading.Event().wait()
        finally:
            time.sleep(1e-3)
            seen.append("cleaned up")

    with simulated(seed=1):
        threading.Thread(target=work).start()

    assert seen == ["cleaned up"]


def test_an_exception_in_a_thread_is_reported_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: seen.append(repr(arguments.exc_value)))

    with simulated(seed=1):
        threading.Thread(target=int, args=("x",)).start()
        threading.Thread(target=threading.Event().wait).start()

    assert len(seen) == 1  # not the one that was ended
    assert seen[0].startswith("ValueError")


@pytest.fixture
def alarm() -> Iterator[Callable[[], None]]:
    """Return a function that raises KeyboardInterrupt in the main thread, by a signal."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, handle)
    yield lambda: os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_ctrl_c_ends_a_world_whose_main_thread_waits(alarm: Callable[[], None]) -> None:
    def work() -> None:
        alarm()
        while True:
            time.sleep(1)

    def run() -> None:
        thread.start()
        thread.join()

    thread = threading.Thread(target=work)
    with pytest.raises(KeyboardInterrupt), simulated(seed=1):
        run()

    assert not thread.is_alive()


def test_a_thread_from_outside_may_wake_the_world() -> None:
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    is_inside = threading.Event()

    def put() -> None:
        is_inside.wait()
        items.put(1)

    outsider = threading.Thread(target=put)
    outsider.start()
    with simulated(seed=1):
        is_inside.set()
        got = items.get()
    outsider.join()

    assert got == 1


STANDSTILL = """
import socket, threading, time
from windsock.simulation import simulated, standstill

standstill.INTERVAL = 0.2
try:
    with simulated(seed=1):
        first, second = socket.socketpair()
        file = first.makefile("rb")
        for name in "ab":
            threading.Thread(target=file.read, args=[1], name=name).start()
        time.sleep(1)
except Exception as error:
    print(error)
    print(error.__notes__[0])
"""


def test_a_lock_that_only_c_knows_is_a_standstill_that_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", STANDSTILL], capture_output=True, text=True, timeout=50, check=False)

    assert "the simulated world stands still at 0 s: b: a lock that only C knows" in done.stdout, done.stderr
    assert "still running: a; b" in done.stdout
    assert done.returncode == 0


STUBBORN = """
import threading, time
from windsock.simulation import simulated

def stay():
    while True:
        try:
            time.sleep(1e9)
        except BaseException:
            continue

try:
    with simulated(seed=1):
        threading.Thread(target=stay, name="stubborn").start()
except Exception as error:
    print(error)
try:
    with simulated(seed=1):
        threading.Thread(target=stay, name="second").start()
        raise KeyError("mine")
except KeyError as error:
    print(error.__notes__[0])
with simulated(seed=1) as world:
    time.sleep(5)
    print(world.now)
"""


def test_threads_that_swallow_their_end_are_named_and_left_and_hang_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", STUBBORN], capture_output=True, text=True, timeout=50, check=False)

    assert done.stdout.splitlines() == [
        "the threads of the simulated world did not end within 15 s, still running: stubborn",
        "the threads of the simulated world did not end within 15 s, still running: second",
        "5.0",
    ], done.stderr
    assert done.returncode == 0


INTERRUPTED = """
import random, signal, threading, time
from windsock.simulation import simulated

set_timer, draw = signal.setitimer, random.Random(1).uniform

def spin():
    while True:
        time.sleep(1)

def interrupt(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
for seed in range(150):
    delay = draw(0.0003, 0.004)
    try:
        with simulated(seed=seed):
            for _ in range(2):
                threading.Thread(target=spin).start()
            set_timer(signal.ITIMER_REAL, delay)
            spin()
    except KeyboardInterrupt as error:
        print(getattr(error, "__notes__", "ended"))
"""


def test_an_interruption_at_any_moment_loses_no_thread() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["ended"] * 150


@pytest.mark.parametrize("step", ["begin", "end"])
def test_a_step_that_fails_leaves_nothing_of_the_world(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_executors: Executors) -> None:
        raise KeyboardInterrupt

    def begin_and_end() -> None:
        with simulated(seed=1):
            pass

    lock = type(threading.Lock())
    acquire = vars(lock)["acquire"]
    monkeypatch.setattr(Executors, step, fail)
    with pytest.raises(KeyboardInterrupt):
        begin_and_end()
    monkeypatch.undo()

    assert vars(lock)["acquire"] is acquire
    assert gc.isenabled()
    begin_and_end()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(int).result(10) == 0
