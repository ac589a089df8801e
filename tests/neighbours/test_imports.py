"""What the threads of servers and proxies need is imported before they start, in the thread of the test."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.neighbours import scenarios
from tests.neighbours.conftest import ENVIRONMENT

SCRIPT = """
import sys, threading

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("windsock") and threading.current_thread() is not threading.main_thread():
            print(name, "in the thread", threading.current_thread().name)
        return None

sys.meta_path.insert(0, Watch())
from tests.neighbours import scenarios
scenarios.ALL[sys.argv[1]]()
"""


@pytest.mark.parametrize("name", scenarios.ALL)
def test_no_thread_of_a_server_or_proxy_imports_a_module_of_windsock(name: str) -> None:
    """A forked child inherits the lock of a module that a thread imports, and gevent's locks do not wake threads."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT, name]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=55, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
