"""Function-scoped fixtures from elsewhere: the standard library's servers, and those of other plugins."""

from __future__ import annotations

import importlib
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.handlers import StockOnce

__all__ = ["stock_threading_tcp", "with_httpserver", "with_localserver"]


@pytest.fixture
def stock_threading_tcp() -> Iterator[Any]:
    """Serve with the standard library, as its documentation shows: the loop polls every half second."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), StockOnce) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address
        server.shutdown()
        thread.join(5)


@pytest.fixture
def with_httpserver() -> Iterator[Any]:
    """Serve with pytest-httpserver, started and stopped for each test."""
    with importlib.import_module("pytest_httpserver").HTTPServer() as server:
        server.expect_request("/").respond_with_data("answer")
        yield (server.host, server.port)


@pytest.fixture
def with_localserver() -> Iterator[Any]:
    """Serve with pytest-localserver, whose own fixture does the same."""
    server = importlib.import_module("pytest_localserver.http").ContentServer()
    server.start()
    server.serve_content("answer")
    yield server.server_address
    server.stop()
