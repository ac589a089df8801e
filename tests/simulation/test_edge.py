"""What a world does not have is refused where it is called, and says what to do."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.servers import is_answered
from windsock import RunningServer, Unsupported, proxy, serving
from windsock.faults import BacklogFull, Fault, Refuse
from windsock.simulation import NotSimulated, World, interpreter, pinning, simulated


@pytest.fixture
def world() -> Iterator[World]:
    with simulated(seed=7) as world:
        yield world


def edge_triggered(sock: socket.socket) -> None:
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN | select.EPOLLET)


def pass_descriptor(sock: socket.socket) -> None:
    socket.send_fds(sock, [b"x"], [0])


REFUSED: dict[str, Callable[[socket.socket], object]] = {
    "fork": lambda _: os.fork(),
    "subprocess": lambda _: subprocess.run([sys.executable, "-V"], check=True),
    "os.system": lambda _: os.system("true"),
    "select of a pipe": lambda _: select.select([0], [], [], 1),
    "epoll with EPOLLET": edge_triggered,
    "MSG_WAITALL": lambda sock: sock.recv(5, socket.MSG_WAITALL),
    "ancillary data": pass_descriptor,
    "dup2 to the kernel": lambda sock: os.dup2(sock.fileno(), 0),
    "dup2 from the kernel": lambda sock: os.dup2(0, sock.fileno()),
    "fstat": lambda sock: os.fstat(sock.fileno()),
    "ioctl": lambda sock: fcntl.ioctl(sock.fileno(), 0x5401, bytes(4)),
    "fcntl": lambda sock: fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 0),
    "os.read of a blocking socket": lambda sock: os.read(sock.fileno(), 1),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_a_call_that_is_not_simulated_is_refused(world: World, call: Callable[[socket.socket], object]) -> None:
    first, second = socket.socketpair()

    with first, second, pytest.raises(NotSimulated, match=r"make it within `with world.outside\(\):`"):
        call(first)


def test_what_is_refused_is_possible_outside(world: World) -> None:
    with world.outside():
        done = subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, check=True)

    assert (done.stdout, world.now) == (b"1\n", 0)


def test_a_socket_from_before_the_world_is_refused_in_it() -> None:
    first, second = socket.socketpair()
    with first, second, simulated(seed=1), pytest.raises(NotSimulated, match="made outside of the world"):
        first.recv(1)


def test_a_module_may_ask_a_program_while_it_is_imported(world: World, tmp_path: os.PathLike[str]) -> None:
    with open(os.path.join(tmp_path, "asks_a_program.py"), "w") as file:
        file.write(f"import subprocess\nsubprocess.run([{sys.executable!r}, '-V'], check=True, stdout=-3)\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import asks_a_program  # type: ignore[import-not-found]  # noqa: F401
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("asks_a_program", None)

    assert world.now == 0


def test_an_interpreter_whose_classes_do_not_change_is_not_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "members_of", lambda class_: dict(class_.__dict__))
    interpreter.check.cache_clear()

    with pytest.raises(Unsupported, match=r"cannot replace .*\(\) of Python 3"), simulated(seed=1):
        pass
    interpreter.check.cache_clear()


def test_a_program_sees_the_processors_that_it_had_before(world: World) -> None:
    seen = os.sched_getaffinity(0)
    with world.outside():
        before = os.sched_getaffinity(0)

    assert seen == before


def test_the_worlds_of_processes_in_a_row_use_all_processors() -> None:
    allowed = frozenset({1, 4, 7})

    assert sorted(pinning.one_of(allowed, process) for process in range(1000, 1006)) == [1, 1, 4, 4, 7, 7]


REFUSALS = (ConnectionRefusedError, TimeoutError, BlockingIOError)
"""What clients of a server that is shut or full get; the last one is for Unix sockets."""


def client_of(server: RunningServer) -> socket.socket:
    """Return a client that has not connected yet."""
    client = socket.socket(server.server.address_family)
    client.settimeout(5)
    return client


@pytest.mark.parametrize("fault", [Refuse(), BacklogFull()])
@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
@pytest.mark.parametrize("concurrency", ["sync", "threading", "selecting", "trio"])
def test_a_server_is_shut_or_full_and_goes_on(fault: Fault, transport: str, concurrency: str) -> None:
    with simulated(), serving(transport=transport, concurrency=concurrency).echo() as server:
        with server.fault(fault), client_of(server) as client, pytest.raises(REFUSALS):
            client.connect(server.address)
        assert is_answered(server)


def test_a_proxy_is_shut() -> None:
    shut = pytest.raises(ConnectionRefusedError)
    with simulated(), serving() as server, proxy(server.address) as front, front.fault(Refuse()), shut:
        socket.create_connection(front.address, timeout=5)
