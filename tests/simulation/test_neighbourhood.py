"""What surrounds a world: frozen objects, imports within it, and sockets that a library has kept from before."""

from __future__ import annotations

import importlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.processes import run_python
from windsock.simulation import NotSimulated, simulated

FROZEN = """
import gc
import threading
from time import monotonic, sleep

class Client:
    pause = staticmethod(sleep)

def wrap(function):
    return lambda *arguments: function(*arguments)

in_closure = wrap(sleep)
lock = threading.Lock()
gc.freeze()
import windsock

for _ in range(2):
    with windsock.simulated(seed=1) as world:
        sleep(100)
        Client.pause(100)
        in_closure(100)
        threading.Timer(50, lock.release).start()
        lock.acquire()
        lock.acquire()
        lock.release()
        print(world.now, monotonic())
before = monotonic()
in_closure(0.001)
print(0.001 <= monotonic() - before < 60, gc.get_freeze_count() > 0, gc.isenabled())
"""


def test_what_was_frozen_is_found_and_put_back() -> None:
    assert run_python(FROZEN) == "350.0 1350.0\n350.0 1350.0\nTrue True True\n"


MODULE = """
import threading
from socket import create_connection, socket as Socket
from time import sleep

class Client:
    lock = threading.Lock()
    pause = staticmethod(sleep)
    def wait(self, seconds, sleep=sleep):
        with self.lock:
            sleep(seconds)
            self.pause(seconds)

sleep(10)
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], ModuleType]]:
    (tmp_path / "imported_in_a_world.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda: importlib.import_module("imported_in_a_world")
    sys.modules.pop("imported_in_a_world", None)


def test_a_module_imported_in_a_world_goes_by_it_and_by_later_ones(load: Callable[[], ModuleType]) -> None:
    for seconds in (3, 5):
        with simulated(seed=1) as world:
            module = load()
            before = world.now
            module.Client().wait(seconds)

            assert world.now - before == 2 * seconds

    before = time.monotonic()
    module.Client().wait(0.001)
    assert 0.002 <= time.monotonic() - before < 60
    assert module.sleep is time.sleep


def test_threads_that_import_at_one_time_wait_for_each_other(load: Callable[[], ModuleType]) -> None:
    with simulated(seed=1) as world:
        threads = [threading.Thread(target=load) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert world.now == 10


class Pool:
    """Keeps its connection, as clients of databases do."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.connection = socket.create_connection(address, timeout=30)

    def ask(self) -> bytes:
        self.connection.sendall(b"ping")
        return self.connection.recv(100)


def test_a_socket_that_a_library_has_kept_is_refused_in_a_world_and_good_after_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pool = Pool(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted, pool.connection:
            for call in (pool.ask, lambda: pool.connection.recv(1), lambda: pool.connection.connect(("::1", 9))):
                with simulated(seed=1), pytest.raises(NotSimulated, match="made outside of the world") as refused:
                    call()
                assert "with world.outside():" in str(refused.value)
            with simulated(seed=1) as world, world.outside():
                accepted.sendall(b"pong")
                assert pool.ask() == b"pong"

            accepted.sendall(b"pong")
            assert pool.ask() == b"pong"
            assert accepted.recv(100) == b"pingping"


def test_a_socket_that_is_closed_and_made_anew_is_the_worlds() -> None:
    kept, other = socket.socketpair()
    with simulated(seed=1):
        kept.close()
        other.close()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            pool = Pool(listener.getsockname())
            accepted, _ = listener.accept()
            with accepted, pool.connection:
                accepted.sendall(b"pong")
                assert pool.ask() == b"pong"
