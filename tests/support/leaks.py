"""Threads, descriptors, children and files that a test must not leave behind."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import threading
from collections.abc import Iterator

from tests.servers.helpers import descriptors, has_children


def what_there_is() -> set[tuple[str, object]]:
    """Return threads, descriptors, children, and files in the temporary directory."""
    found: set[tuple[str, object]] = {("descriptor", each) for each in descriptors().items() if not _is_module(each[1])}
    found |= {("thread", thread) for thread in threading.enumerate() if thread.name != "windsock (idle)"}
    found |= {("file", name) for name in os.listdir(tempfile.gettempdir())}
    return found | ({("child", "running or ended")} if has_children() else set())


def _is_module(name: str) -> bool:
    """Return whether that is the file of a module, which a thread that goes on imports at this moment."""
    return name.endswith((".py", ".pyc"))


@contextlib.contextmanager
def own_temporary_directory() -> Iterator[None]:
    """Have temporary files made where nobody else makes any; its path is short enough for sockets."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="w-", dir="/tmp") as tempfile.tempdir:
        try:
            yield
        finally:
            tempfile.tempdir = before


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Make sure that all is as it was before."""
    before = what_there_is()
    yield
    left = what_there_is() - before
    if left:
        gc.collect()  # it takes its time, and there is nothing to collect as a rule
        left = what_there_is() - before
    assert left == set(), left
