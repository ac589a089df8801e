"""Tests that talk to a server, and the directories that they leave."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

FILES = ["events.jsonl", "traffic.html", "traffic.pcapng", "transcript.txt"]
ECHO = """
import pytest

def talk(server):
    server.echo()
    with server.connect() as client:
        client.send(b"hello").expect(b"hello")
"""


def module(code: str) -> str:
    """Return a module of tests that can talk to their servers."""
    return ECHO + textwrap.dedent(code)


FAILING = module(
    """
    def test_it(tcp_server):
        talk(tcp_server)
        assert False
    """
)


def directories(out: Path) -> dict[str, Path]:
    """Return the directories of tests by their names, without the hashes."""
    return {re.sub(r"-[0-9a-f]{8}", "", each.name): each for each in sorted(out.iterdir())}


def named_in(result: pytest.RunResult) -> list[Path]:
    """Return the directories that reports name."""
    return [Path(each) for each in re.findall(r"-+ windsock: artifacts -+\n(.+)", result.stdout.str())]
