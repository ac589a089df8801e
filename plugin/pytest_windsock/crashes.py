"""The last transcripts of an xdist worker that has crashed: the worker keeps a file, the controller shows it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_windsock.fixtures import State

__all__ = ["KEY", "begin", "close", "explain", "tell_worker"]

KEY = "windsock_last_transcripts"
DIRECTORY: pytest.StashKey[str] = pytest.StashKey()
INTERVAL = 0.2
"""Seconds between two looks at what the servers of the running test have recorded..."""
SHARE = 20
"""...or this multiple of the time that the last look took, where that is more."""


# --- in the controller


def tell_worker(node: Any) -> None:
    """Name the file that a worker keeps; without a directory for it, no crash is explained."""
    stash = node.config.stash
    with contextlib.suppress(OSError):
        if DIRECTORY not in stash:
            stash[DIRECTORY] = tempfile.mkdtemp(prefix="windsock-")
        node.workerinput[KEY] = f"{stash[DIRECTORY]}/{node.gateway.id}"


def explain(report: Any) -> None:
    """Add to the report of a crash what the worker has written about the test that it was running."""
    path = report.node.workerinput.get(KEY, "")
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        if file.readline().rstrip("\n") == report.nodeid:
            report.longrepr = f"{report.longrepr}\n{file.read()}"


def close(config: pytest.Config) -> None:
    """Remove the files."""
    if (directory := config.stash.get(DIRECTORY, None)) is not None:
        shutil.rmtree(directory, ignore_errors=True)


# --- in a worker


def begin(config: pytest.Config) -> None:
    """Keep the file of this worker, in a thread; in other processes there is nothing to do."""
    path = getattr(config, "workerinput", {}).get(KEY)
    if path is not None:
        from windsock.net.system import threading

        threading.Thread(target=_keep, args=(path,), name="windsock last transcripts", daemon=True).start()


def _keep(path: str) -> None:
    """Write what the running test's servers have recorded whenever it has changed, until the process ends."""
    from windsock.net.system import monotonic, threading

    never, written = threading.Event(), ""
    while True:
        began = monotonic()
        with contextlib.suppress(Exception):  # the test goes on meanwhile: what is looked at may change
            text = "\n".join(_lines())
            if text and text != written:
                _write(path, text)
                written = text
        never.wait(max(INTERVAL, SHARE * (monotonic() - began)))


def _lines() -> Iterator[str]:
    """Give the test's node id, and what the servers of its fixtures have recorded; nothing if it has none."""
    servers = list(State.servers)
    if servers:
        yield State.item.nodeid.encode(errors="backslashreplace").decode()
        yield "windsock: recorded shortly before the crash:"
    for each in servers:
        yield from [f"{each.describe()}:", *(f"  {line}" for line in each.transcript())]


def _write(path: str, text: str) -> None:
    """Write at once, so that a crash leaves the old text or the new one."""
    from windsock.net.system import os

    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, text.encode(errors="backslashreplace"))
    finally:
        os.close(descriptor)
    os.rename(f"{path}.new", path)
