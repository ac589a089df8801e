"""What is left to read of a test that Ctrl-C has interrupted: where everyone stood, and what its servers recorded."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from windsock import RunningServer
    from windsock.proxies.proxy import FaultProxy

__all__ = ["clean_up", "keep", "summarize", "tell_worker"]

DIRECTORY = pytest.StashKey[str]()
"""Where xdist's workers write theirs: the controller, interrupted too, takes no more reports from them."""
KEPT = pytest.StashKey[list[str]]()
INPUT = "windsock_interrupted"


def keep(item: pytest.Item, error: BaseException, servers: list[RunningServer | FaultProxy]) -> None:
    """Keep the text about the test that runs, for the end of the run."""
    from pytest_windsock import sections, standing

    lines = [*standing.test_at(error), *standing.others(servers)]
    for title, body in sections.sections(servers, "call"):
        lines += [title, *(f"  {line}" for line in body.splitlines())]
    text = "\n".join([f"windsock: {item.nodeid} was interrupted", *(f"  {line}" for line in lines)])
    directory = getattr(item.config, "workerinput", {}).get(INPUT)
    if directory is None:
        item.config.stash.setdefault(KEPT, []).append(text)
    else:
        Path(directory, str(os.getpid())).write_text(text, encoding="utf-8", errors="backslashreplace")


def tell_worker(node: Any) -> None:
    """Tell an xdist worker where to write its text."""
    stash = node.config.stash
    if DIRECTORY not in stash:
        stash[DIRECTORY] = tempfile.mkdtemp(prefix="windsock-")
    node.workerinput[INPUT] = stash[DIRECTORY]


def summarize(terminalreporter: Any, config: pytest.Config) -> None:
    """Show the texts of this process and of its workers."""
    texts = config.stash.get(KEPT, [])
    directory = config.stash.get(DIRECTORY, None)
    if directory is not None:
        texts = texts + [each.read_text(encoding="utf-8") for each in sorted(Path(directory).iterdir())]
    if texts:
        terminalreporter.section("interrupted tests")
        terminalreporter.write_line("\n\n".join(texts))


def clean_up(config: pytest.Config) -> None:
    """Remove what workers have written."""
    directory = config.stash.get(DIRECTORY, None)
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)
