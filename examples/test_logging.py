"""Logging: `DatagramHandler` and `SocketHandler` send pickled records, with their length in front."""

from __future__ import annotations

import logging
import logging.handlers
import pickle
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from windsock import LengthPrefix, RunningServer
from windsock.servers import DatagramRequestHandler

PREFIX = 4
"""Bytes of length in front of each record."""


@contextmanager
def logger_with(handler: logging.Handler) -> Iterator[logging.Logger]:
    logger = logging.Logger("weather")
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.close()


def record_in(data: bytes) -> logging.LogRecord:
    return logging.makeLogRecord(pickle.loads(data[PREFIX:]))


class Receipt(DatagramRequestHandler):
    """Answers each record with the name of its logger."""

    def handle(self) -> None:
        self.wfile.write(record_in(self.packet).name.encode())


def test_a_record_travels_over_udp(udp_server: RunningServer) -> None:
    with logger_with(logging.handlers.DatagramHandler(*udp_server.address)) as logger:
        logger.warning("wind from %s", "NW")

    record = record_in(udp_server.requests.only().data)
    assert (record.levelname, record.getMessage()) == ("WARNING", "wind from NW")


@pytest.mark.windsock(handler=Receipt)
def test_a_process_answers_each_datagram(forking_udp_server: RunningServer) -> None:
    handler = logging.handlers.DatagramHandler(*forking_udp_server.address)
    with logger_with(handler) as logger:
        logger.error("no wind at all")
        assert handler.sock is not None
        handler.sock.settimeout(5)
        receipt = handler.sock.recv(100)

    assert receipt == b"weather"
    assert forking_udp_server.requests.only().reply == receipt


@pytest.mark.windsock(framing=LengthPrefix(PREFIX))
def test_records_are_told_apart_in_a_stream(sync_tcp_server: RunningServer) -> None:
    with logger_with(logging.handlers.SocketHandler(*sync_tcp_server.address)) as logger:
        logger.info("first")
        logger.info("second")

    records = [record_in(request.data) for request in sync_tcp_server.requests.wait(2)]
    assert [record.getMessage() for record in records] == ["first", "second"]
