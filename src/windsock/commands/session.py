"""The life of a command: a server or proxy runs until a signal comes, and its recording is printed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windsock.commands.output import Output
from windsock.commands.signals import StopRequest
from windsock.errors import StillRunning

__all__ = ["run_until_stopped"]

LOOK = 0.1
"""Seconds from one look at the recording to the next."""


def run_until_stopped(server: Any, output: Output, stop: StopRequest, facts: Mapping[str, str] = {}) -> int:
    """Print what a server or proxy records until it is to end; finish it, and return the exit code.

    That is 0, or 1 if a handler has not ended, or if it is strict and something went wrong that would fail a test.
    """
    try:
        output.begin(server, dict(facts))
        while not stop.wait(LOOK):
            output.show()
        problems = [_in_words(each) for each in _problems(server)]
    except BaseException:
        server.stop()
        raise
    output.end(server, problems or dict.fromkeys(map(_in_words, server.errors)))
    return 1 if problems else 0


def _problems(server: Any) -> list[BaseException]:
    try:
        server.finish()
    except (BaseExceptionGroup, StillRunning) as error:
        return list(_leaves(error))
    return []


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
