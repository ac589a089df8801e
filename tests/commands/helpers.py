"""Commands in a thread of the test, or in a process of their own."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any

from tests.support.waiting import DEADLINE, wait_until
from windsock.commands.main import run

__all__ = ["Command", "program", "running"]


class Command:
    """A command that runs, and what it has printed so far."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.stop = threading.Event()
        self.code: int | None = None
        self._words: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The lines so far, without their times."""
        return [re.sub(r"^\+[0-9.]+ ", "", line) for line in self.stream.getvalue().splitlines()]

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    @property
    def address(self) -> Any:
        """The address that it listens on."""
        return address_in(self.lines[0])

    def wait_for(self, text: str) -> None:
        try:
            wait_until(lambda: any(text in line for line in self.lines), f"a line with {text!r}")
        except AssertionError as error:
            error.add_note(f"printed so far: {self.lines}")
            raise


def address_in(line: str) -> Any:
    text = json.loads(line)["address"] if line.startswith("{") else line.removeprefix("listening on ").strip()
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdecimal() else text.replace("@", "\0")


@contextlib.contextmanager
def running(*words: str) -> Iterator[Command]:
    """Run a command until the end of the block, or until it fails."""
    command = Command()

    def work() -> None:
        command.code = run(words, command.stream, command.stop)

    thread = threading.Thread(target=work, name=f"windsock {words}")
    thread.start()
    try:
        wait_until(lambda: command.stream.getvalue() or not thread.is_alive(), "its first line")
        yield command
    finally:
        command.stop.set()
        thread.join(DEADLINE)
        assert not thread.is_alive()


@contextlib.contextmanager
def program(*words: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Run a command in a process; give it with what it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "windsock", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.communicate()
