"""A child that gets stuck right after its fork is replaced."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator

import pytest

import windsock
from windsock.security import certificates
from windsock.servers.forking import fork_probe


@pytest.fixture
def tokens() -> Iterator[tuple[int, int]]:
    """A pipe that forked children take tokens from: each one that gets a token gets stuck."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_probe, "PATIENCE", 0.2)


def stuck_with_a_token(reader: int) -> Callable[[], None]:
    def rehearse() -> None:
        try:
            os.read(reader, 1)
        except BlockingIOError:
            return
        threading.Event().wait(30)  # until it is killed

    return rehearse


class Forks:
    """Forks, and remembers the children: others, such as the watcher of real programs, are not the test's."""

    def __init__(self) -> None:
        self.children: list[int] = []

    def __call__(self) -> int:
        self.children.append(pid := os.fork())
        return pid

    def are_gone(self) -> bool:
        for each in self.children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(each, os.WNOHANG)
                return False
        return True


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("stuck", [0, 1, 3])
def test_the_first_child_that_comes_through_is_the_one(tokens: tuple[int, int], stuck: int) -> None:
    os.write(tokens[1], b"x" * stuck) if stuck else None

    fork = Forks()
    pid = fork_probe.fork(fork, stuck_with_a_token(tokens[0]))
    if pid == 0:
        os._exit(7)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert len(fork.children) == stuck + 1
    assert fork.are_gone()


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_when_no_child_comes_through_it_is_said(tokens: tuple[int, int]) -> None:
    os.write(tokens[1], b"x" * 10)
    fork = Forks()

    with pytest.raises(RuntimeError, match="5 children in a row got stuck right after the fork"):
        fork_probe.fork(fork, stuck_with_a_token(tokens[0]))

    assert len(fork.children) == 5
    assert fork.are_gone()


def test_a_fork_that_fails_leaves_no_descriptor() -> None:
    before = len(os.listdir("/dev/fd"))

    def failing() -> int:
        raise BlockingIOError("no more processes")

    with pytest.raises(BlockingIOError):
        fork_probe.fork(failing, lambda: None)

    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize(("has_callback", "handshakes"), [(False, 1), (True, 0)])
def test_a_child_of_a_tls_server_rehearses_all_of_a_handshake(has_callback: bool, handshakes: int) -> None:
    asked: list[object] = []
    context = certificates.server_context(is_mutual=False)
    certificates.configure(context, certificates.certificate("valid", ("localhost",)))
    if has_callback:
        context.sni_callback = lambda *args: asked.append(args)
    with windsock.serving(concurrency="forking", tls=context) as server:
        server.server.rehearse_in_child()

        assert context.session_stats()["accept_good"] == handshakes
        assert asked == []
