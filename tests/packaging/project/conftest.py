"""A fixture of one's own: a server for all tests of the session."""

from __future__ import annotations

import pytest_windsock
import windsock


@pytest_windsock.fixture(scope="session", framing="lines")
def cache(server: windsock.RunningServer) -> None:
    """A fake for all tests."""
    server.on(b"PING").reply(b"+PONG\r\n")
