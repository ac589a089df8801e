"""`make demo` prints what the servers of the examples have recorded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_prints_what_was_recorded() -> None:
    command = [sys.executable, "-m", "pytest", "examples/test_memcache.py", "-k", "fail", "-p", "no:cacheprovider"]

    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    assert result.returncode == 0, result.stdout
    shown = result.stdout.partition("what the servers recorded")[2]
    assert "test_a_cache_may_fail" in shown
    assert "#0 > 10 B Command(name='get', key='wind', value=b'')" in shown
