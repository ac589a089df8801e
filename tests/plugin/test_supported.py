"""Where windsock does not run, fixtures are refused in one sentence, and other tests are not disturbed."""

from __future__ import annotations

import os

import pytest

from tests.plugin.conftest import Run

WINDOWS = """
    import os, select, signal, socket, sys

    import trio  # before this is Windows, of which it knows more

    sys.platform = "win32"
    for name in ("fcntl", "grp", "pwd", "resource", "termios", "_posixsubprocess"):
        sys.modules[name] = None
    for module, names in {
        os: "fork getuid getgid register_at_fork posix_spawn waitid pidfd_open eventfd",
        select: "poll epoll",
        signal: "SIGHUP SIGURG SIGUSR1 SIGWINCH pthread_sigmask",
        socket: "AF_UNIX SOCK_SEQPACKET MSG_DONTWAIT",
    }.items():
        for name in names.split():
            vars(module).pop(name, None)
"""
TESTS = """
    import pytest

    @pytest.mark.windsock(framing="lines")
    def test_a_fixture(tcp_server):
        pass

    def test_any_server(any_server):
        pass

    def test_without():
        pass
"""


PYPY = """
    import sys, types

    sys.implementation = types.SimpleNamespace(**vars(sys.implementation) | {"name": "pypy"})
"""
FREE_THREADED = """
    import sys

    sys._is_gil_enabled = lambda: False
"""
REFUSED = {
    "Windows": (
        WINDOWS,
        "on Windows, which lacks fork(2), poll(2) and other calls that it needs; "
        "run these tests on Linux, macOS or in WSL",
    ),
    "PyPy": (PYPY, "on pypy, which lacks os.waitid() and closes descriptors late; run these tests on CPython"),
    "free-threaded": (
        FREE_THREADED,
        "without the global interpreter lock, where it is not tested; run these tests with PYTHON_GIL=1",
    ),
}


@pytest.mark.parametrize("where", REFUSED)
def test_fixtures_are_refused_in_one_sentence(
    where: str, run_apart: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in, reason = REFUSED[where]
    pytester.makepyfile(elsewhere=stand_in)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    result = run_apart(TESTS, "-p", "elsewhere", "-p", "pytest_windsock.plugin", "--capture=sys")

    result.assert_outcomes(passed=1, errors=2)
    lines = [line for line in result.outlines if line.startswith("E  ")]
    assert [line.partition("UnsupportedInterpreter: ")[2] for line in lines] == [f"windsock does not run {reason}"] * 2
