"""On Windows, of which there is none here, fixtures are refused in one sentence, and other tests are not disturbed."""

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


def test_fixtures_are_refused_in_one_sentence(
    run_apart: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(windows=WINDOWS)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    sentence = "windsock does not run on Windows, which lacks fork(2), poll(2) and other calls that it needs; "

    result = run_apart(TESTS, "-p", "windows", "-p", "pytest_windsock.plugin", "--capture=sys")

    result.assert_outcomes(passed=1, errors=2)
    lines = [line for line in result.outlines if line.startswith("E  ")]
    assert [line.partition("UnsupportedInterpreter: ")[2] for line in lines] == 2 * [
        f"{sentence}run these tests on Linux, macOS or in WSL"
    ]
