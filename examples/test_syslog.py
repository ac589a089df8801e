"""Logging: `SysLogHandler` writes to a Unix datagram socket, as it would to /dev/log, which may go away (RFC 3164)."""

from __future__ import annotations

import errno
import logging
import logging.handlers
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from windsock import RunningServer
from windsock.servers import DatagramRequestHandler


class PatientHandler(logging.handlers.SysLogHandler):
    """Keeps what could not be sent, and why, instead of printing it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.lost: list[tuple[str, int | None]] = []

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the hook's name
        self.lost.append((record.getMessage(), getattr(sys.exception(), "errno", None)))


@contextmanager
def logger_with(handler: logging.Handler) -> Iterator[logging.Logger]:
    logger = logging.Logger("fault_set")
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


def test_records_are_lost_while_the_receiver_is_away_and_no_longer(unix_datagram_server: RunningServer) -> None:
    handler = PatientHandler(unix_datagram_server.path)

    with logger_with(handler) as logger:
        logger.warning("wind from NW")
        unix_datagram_server.requests.wait(1)
        with unix_datagram_server.outage():
            logger.warning("a storm that nobody hears of")
        logger.warning("wind from SE")

    assert handler.lost == [("a storm that nobody hears of", errno.ECONNREFUSED)]
    records = [request.data for request in unix_datagram_server.requests.wait(2)]
    assert records == [b"<12>wind from NW\0", b"<12>wind from SE\0"]
