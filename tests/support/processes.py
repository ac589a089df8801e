"""Other processes: forked children, and interpreters of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable

from tests.support.waiting import DEADLINE


def forked(act: Callable[[], object]) -> int:
    """Do it in a forked child, which ends with 0, or with 1 if that raises; return its pid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the threads beside: this fork is the test's own
        pid = os.fork()
    if not pid:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    return pid


def ended_well(pid: int) -> bool:
    """Wait for a child's end; return whether nothing was raised there."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def run_python(
    code: str, *words: str, options: tuple[str, ...] = (), timeout: float = 5 * DEADLINE, **environment: str
) -> str:
    """Run a program, which must end well and without a word on stderr; return what it has printed."""
    paths = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, *options, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"PYTHONPATH": paths} | environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
