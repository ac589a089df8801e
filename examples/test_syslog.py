"""Logging: `SysLogHandler` writes to a Unix datagram socket, as it would to /dev/log (RFC 3164)."""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from windsock import RunningServer
from windsock.servers import DatagramRequestHandler


@contextmanager
def logger_with(handler: logging.Handler) -> Iterator[logging.Logger]:
    logger = logging.Logger("weather")
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.close()


def test_each_record_is_a_datagram_with_its_priority(unix_datagram_server: RunningServer) -> None:
    with logger_with(logging.handlers.SysLogHandler(unix_datagram_server.path)) as logger:
        logger.warning("wind from %s", "NW")
        logger.error("no wind at all")

    first, second = unix_datagram_server.requests.wait(2)
    assert first.data == b"<12>wind from NW\0"
    assert second.data == b"<11>no wind at all\0"


class Syslog(DatagramRequestHandler):
    lines: list[bytes] = []  # noqa: RUF012  # for all requests

    def handle(self) -> None:
        self.lines.append(self.packet.rstrip(b"\0"))


@pytest.mark.windsock(handler=Syslog)
def test_a_handler_takes_them_one_by_one(sync_unix_datagram_server: RunningServer, monkeypatch: Any) -> None:
    monkeypatch.setattr(Syslog, "lines", [])

    with logger_with(logging.handlers.SysLogHandler(sync_unix_datagram_server.path)) as logger:
        for knots in range(3):
            logger.info("%d knots", knots)

    sync_unix_datagram_server.requests.wait(3)
    sync_unix_datagram_server.stop()  # the last one is handled then
    assert Syslog.lines == [b"<14>0 knots", b"<14>1 knots", b"<14>2 knots"]
