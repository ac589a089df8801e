"""What forked children tell their parent: errors that do not unpickle there; files that cannot be made or written."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.support.servers import ask, connect, on_every_concurrency, rest_of, wait_for_error
from windsock import HandlerFailed, RecordingFailed
from windsock.net import system
from windsock.recording.store.spill_file import SpillFile


def from_a_module_of_the_childs_own() -> BaseException:
    module = types.ModuleType("loaded_on_demand")
    exec("class Boom(Exception): pass", vars(module))  # a module that the parent has not got
    sys.modules["loaded_on_demand"] = module
    made: BaseException = vars(module)["Boom"]("no good")
    return made


class OfThisProcess(Exception):
    def __reduce__(self) -> Any:
        return again, (str(self), os.getpid())


def again(text: str, pid: int) -> OfThisProcess:
    if pid != os.getpid():
        raise RuntimeError("of another process")
    return OfThisProcess(text)


class Speechless(Exception):
    def __str__(self) -> str:
        raise LookupError("nothing to say")


class Exits(Exception):
    def __reduce__(self) -> Any:
        return in_the_parent, (os.getpid(),)


def in_the_parent(pid: int) -> Exits:
    if pid != os.getpid():
        raise windsock.PeerError("of all errors")
    return Exits("no good")


HARD_TO_TELL: list[tuple[Callable[[], BaseException], str]] = [
    (from_a_module_of_the_childs_own, "Boom: no good"),
    (lambda: OfThisProcess("no good"), "OfThisProcess: no good"),
    (Speechless, "Speechless (its __str__ raises)"),
    (lambda: Exits("no good"), "Exits: no good"),
]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize(("make", "words"), HARD_TO_TELL)
def test_an_error_that_does_not_unpickle_is_told_in_the_childs_words_and_the_rest_is_read_on(
    make: Callable[[], BaseException], words: str, transport: str
) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        if isinstance(request, tuple):
            request[1].sendto(b"seen", client_address)
        else:
            request.sendall(request.recv(100))
        raise make()

    with windsock.serving(handler, transport=transport, concurrency="forking") as server:
        for _ in range(2):
            with connect(server) as client:
                client.sendall(b"cause")
                client.recv(100)
                wait_for_error(server)
                (error,) = server.errors.take()

                assert isinstance(error, HandlerFailed)
                assert str(error) == words
                assert "raise make()" in str(error.__cause__)
        server.connections.wait(2)
        assert [each.upstream for each in server.connections] == [b"cause", b"cause"]


@pytest.mark.parametrize(("status", "code"), [(3, 3), (None, 0), ("words", 1)])
def test_a_child_that_exits_keeps_its_status_and_is_recorded(status: object, code: int) -> None:
    codes: list[int] = []

    class Server(windsock.servers.ForkingTCPServer):
        def child_exited(self, pid: int, exit_code: int) -> None:
            codes.append(exit_code)

    def handler(request: Any, client_address: Any, server: Any) -> None:
        raise SystemExit(status)

    with windsock.serving(Server, handler) as server:
        with connect(server) as client:
            rest_of(client)
        server.stop()

        assert [repr(each) for each in server.errors.take()] == [repr(SystemExit(status))]
    assert codes == [code]


# --- no file


@pytest.fixture
def no_temporary_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    nowhere = str(tmp_path / "nowhere")
    monkeypatch.setattr(tempfile, "tempdir", nowhere)
    return nowhere


@pytest.fixture
def no_memory_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(system.os, "memfd_create")


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there are no files in memory")
def test_without_a_temporary_directory_children_are_recorded_in_memory(no_temporary_directory: str) -> None:
    with windsock.serving(concurrency="forking").echo() as server:
        assert ask(server, b"x") == [b"x"]
        assert server.requests.wait(1)[0].data == b"x"


def test_where_nothing_can_be_recorded_a_forking_server_does_not_start(
    no_temporary_directory: str, no_memory_files: None
) -> None:
    with pytest.raises(RecordingFailed, match="no file can be created for the recording") as caught:
        windsock.serving(concurrency="forking")

    assert caught.value.directory == no_temporary_directory
    assert isinstance(caught.value.cause, FileNotFoundError)
    assert f"in the temporary directory {no_temporary_directory}: " in str(caught.value)
    assert str(caught.value).endswith("; set TMPDIR to a directory that can be written to")


def test_where_no_file_can_be_had_a_rule_of_a_forking_fake_says_so(
    no_memory_files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with windsock.serving(concurrency="forking") as server:
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
        with pytest.raises(RecordingFailed, match="counters that forked children share in the temporary directory"):
            server.on(b"PING")


@pytest.fixture
def few_descriptors() -> Iterator[Callable[[], None]]:
    """Give a function that leaves the process without a descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept: list[int] = []

    def use_up() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        with contextlib.suppress(OSError):
            while True:
                kept.append(os.open(os.devnull, os.O_RDONLY))

    yield use_up
    for each in kept:
        os.close(each)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_fork_in_a_handler_that_cannot_be_recorded_is_an_error_only_if_it_does_something(
    few_descriptors: Callable[[], None],
) -> None:
    def handler(request: socket.socket, client_address: Any, server: Any) -> None:
        does_something = request.recv(1) == b"!"
        few_descriptors()
        if (pid := os.fork()) == 0:
            if does_something:
                request.sendall(b"child")
            os._exit(0)
        os.waitpid(pid, 0)
        request.shutdown(socket.SHUT_WR)

    for does_something in (False, True):
        with windsock.serving(handler) as server, connect(server) as client:
            client.sendall(b"!" if does_something else b"?")
            rest_of(client)
            found = server.errors.take()

            assert len(found) == does_something
            for each in found:
                assert isinstance(each, RecordingFailed)
                assert "raise the limit of open ones (ulimit -n)" in str(each)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_disk_that_is_full_while_a_child_writes_fails_the_test_with_the_cause(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = SpillFile.append

    def full(self: SpillFile, connection: int, event: Any) -> None:
        if event.data == b"too much":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, connection, event)

    monkeypatch.setattr(SpillFile, "append", full)
    server = windsock.serving(transport=transport, concurrency="forking").echo()
    assert ask(server, b"too much") == [b"too much"]  # the handler does not suffer
    wait_for_error(server)

    with pytest.raises(RecordingFailed, match="No space left on device; make room in "):
        server.requests.none()
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    assert [type(each) for each in caught.value.exceptions] == [RecordingFailed]


@on_every_concurrency
def test_a_long_recording_stays_in_memory_where_no_file_can_be_had(
    concurrency: str, no_memory_files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("windsock.recording.store.memory.MEMORY", 256 * 1024)
    with windsock.serving(concurrency=concurrency).echo() as server:
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
        with server.connect() as client:
            for _ in range(20):
                client.send(b"x" * 65536).expect(length=65536)
        assert sum(len(each.upstream) for each in server.connections) == 20 * 65536
