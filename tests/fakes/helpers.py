"""What the tests of fakes share: what fails the test in the end, in words that are the same in every run."""

from __future__ import annotations

import re

import pytest

import windsock
from tests.support.waiting import wait_until

UNUSED = "\n(if that is expected, pass allow_unused=True)"


def failures_of(server: windsock.RunningServer) -> list[str]:
    """Finish, and return what fails the test."""
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    return [without_times(str(each)) for each in caught.value.exceptions]


def without_times(text: str) -> str:
    """Leave out what differs from run to run: times and ports."""
    text = re.sub(r"[-+]\d+\.\d+ s", "T", text)
    return re.sub(r"from (127\.0\.0\.1:\d+|an unnamed \w+|'[^']*'|\S+) (was|ended)", r"from CLIENT \2", text)


def wait_until_taken(server: windsock.RunningServer, data: bytes) -> None:
    """Wait until the first connection has sent this, and the server has taken it."""

    def is_taken() -> bool:
        return [each.upstream for each in server.connections[:1]] == [data]

    wait_until(is_taken)
