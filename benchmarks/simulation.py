"""What a simulated world costs: entering it, handing over, bytes between two threads, sleepers, a test that waits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from functools import partial

import windsock
from benchmarks.table import Bound, Result

__all__ = ["run"]

real_clock = partial(time.perf_counter)
"""The clock outside of worlds, as an object that they do not replace."""
HAND_OVERS = 5000
ROUND_TRIPS = 5000
BULK = 64 * 1024 * 1024


def run(*, is_quick: bool) -> Result:
    """Measure; in each round all take turns."""
    seconds = {what: min(each() for _ in range(3 if is_quick else 8)) for what, each in MEASURED.items()}
    handover = seconds["handover"] / HAND_OVERS * 1e6
    ratios = [
        Bound("a hand-over, beside two bare locks", seconds["handover"] / seconds["locks"], at_most=2.4),
        Bound("round trips of 64 B, beside the kernel's", seconds["kernel"] / seconds["roundtrips"], at_least=0.14),
    ]
    figures = [
        ("enter and leave a world", seconds["enter"] * 1e3, "ms", 5.0, None),
        ("10 connections with 300 s of back-off", seconds["backoff"] * 1e3, "ms", 20.0, None),
        ("1,000 threads that sleep", seconds["sleepers"] * 1e3, "ms", 250.0, None),
        ("a hand-over", handover, "us", 5.0, None),
        ("round trips of 64 B", ROUND_TRIPS / seconds["roundtrips"], "/s", None, 40_000.0),
        ("bulk", BULK / seconds["bulk"] / 1e6, " MB/s", None, 500.0),
    ]
    bounds = [Bound(what, value, at_most=most, at_least=least, unit=unit) for what, value, unit, most, least in figures]
    bounds += ratios
    return Result(
        "a simulated world",
        ["what", "figure", "bound"],
        [[each.what, f"{each.figure:,.2f}{each.unit}", each.limit] for each in bounds],
        bounds,
        [
            "best of all rounds, in real time; all threads share one core",
            f"two bare locks hand over in {seconds['locks'] / HAND_OVERS * 1e6:.1f} us; the kernel makes "
            f"{ROUND_TRIPS / seconds['kernel']:,.0f} round trips/s",
        ],
    )


def timed(work: Callable[[], object]) -> float:
    """Return the real seconds that something takes within a world."""
    with windsock.simulated(seed=1, most_steps=10**9):
        start = real_clock()
        work()
        return real_clock() - start


def enter() -> float:
    """Return the real seconds for entering and leaving a world."""
    start = real_clock()
    with windsock.simulated(seed=1):
        pass
    return real_clock() - start


def backoff() -> float:
    """Return the real seconds for a client that gets through the tenth time."""
    start = real_clock()
    with windsock.simulated(seed=1), socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept_ten, args=[listener]).start()
        while not (received := attempt(listener.getsockname())):
            time.sleep(30)
        assert received == b"v"
    return real_clock() - start


def accept_ten(listener: socket.socket) -> None:
    """Close nine connections and answer the tenth."""
    for number in range(10):
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            if number == 9:
                connection.sendall(b"v")


def attempt(address: tuple[str, int]) -> bytes:
    """Return the reply, empty if there is none."""
    with socket.create_connection(address, timeout=5) as sock:
        sock.sendall(b"GET k\n")
        return sock.recv(100)


def handover() -> float:
    """Return the real seconds in which two threads that sleep in turn hand over as often."""
    return timed(lambda: both(sleep_often))


def sleep_often() -> None:
    """Sleep for half of the hand-overs."""
    for _ in range(HAND_OVERS // 2):
        time.sleep(0.001)


def both(work: Callable[[], object]) -> None:
    """Do something in two threads at once."""
    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def locks() -> float:
    """Return the real seconds in which two threads hand over as often by two locks."""
    mine, theirs = threading.Lock(), threading.Lock()
    mine.acquire()
    theirs.acquire()

    def answer() -> None:
        for _ in range(HAND_OVERS // 2):
            mine.acquire()
            theirs.release()

    thread = threading.Thread(target=answer)
    thread.start()
    start = real_clock()
    for _ in range(HAND_OVERS // 2):
        mine.release()
        theirs.acquire()
    seconds = real_clock() - start
    thread.join()
    return seconds


def kernel() -> float:
    """Return the real seconds of all round trips through the kernel."""
    start = real_clock()
    exchange()
    return real_clock() - start


def sleepers() -> float:
    """Return the real seconds of a thousand threads that sleep for ten virtual ones."""
    return timed(sleep_in_threads)


def sleep_in_threads() -> None:
    """Start the threads and wait for them."""
    threads = [threading.Thread(target=time.sleep, args=(10,)) for _ in range(1000)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def roundtrips() -> float:
    """Return the real seconds of all round trips."""
    return timed(exchange)


def exchange() -> None:
    """Send small messages to a thread that sends them back."""
    near, far = socket.socketpair()
    thread = threading.Thread(target=echo, args=[far])
    thread.start()
    message = bytes(64)
    for _ in range(ROUND_TRIPS):
        near.send(message)
        near.recv(100)
    near.close()
    thread.join()


def echo(sock: socket.socket) -> None:
    """Send back what comes."""
    with sock:
        while data := sock.recv(65536):
            sock.send(data)


def bulk() -> float:
    """Return the real seconds for bytes from one thread to another."""
    return timed(stream)


def stream() -> None:
    """Send the bytes in pieces of 64 KiB to a thread that reads them."""
    near, far = socket.socketpair()
    thread = threading.Thread(target=read_all, args=[far])
    thread.start()
    piece = bytes(65536)
    for _ in range(BULK // len(piece)):
        near.sendall(piece)
    near.close()
    thread.join()


def read_all(sock: socket.socket) -> None:
    """Read to the end into one buffer."""
    buffer = bytearray(262144)
    with sock:
        while sock.recv_into(buffer):
            pass


MEASURED = {
    "enter": enter,
    "backoff": backoff,
    "handover": handover,
    "sleepers": sleepers,
    "locks": locks,
    "roundtrips": roundtrips,
    "kernel": kernel,
    "bulk": bulk,
}
