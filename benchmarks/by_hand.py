"""Fixtures as people write them by hand: bare threads, an eventfd to stop them, nothing recorded.

They do what windsock's do, and no more: they end at once, leave no thread behind, and a Unix socket has a
private directory of its own.
"""

from __future__ import annotations

import os
import select
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = [
    "sync_tcp",
    "sync_udp",
    "sync_unix_stream",
    "threading_tcp",
    "threading_udp",
    "threading_unix_stream",
]


def handle_stream(connection: socket.socket) -> None:
    """Handle one connection."""
    with connection:
        connection.sendall(connection.recv(4096))


@contextmanager
def loop(listener: socket.socket, take: Callable[[], None]) -> Iterator[None]:
    """Call `take()` in a thread, whenever the listener is ready, for the length of a `with`."""
    stop = os.eventfd(0)

    def run() -> None:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.register(stop, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if stop in ready:
                return
            take()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.eventfd_write(stop, 1)
        thread.join(5)
        os.close(stop)


@contextmanager
def sync_stream(listener: socket.socket) -> Iterator[None]:
    """Serve connections one after the other."""

    def take() -> None:
        handle_stream(listener.accept()[0])

    with loop(listener, take):
        yield


@contextmanager
def threading_stream(listener: socket.socket) -> Iterator[None]:
    """Serve each connection in a thread."""
    threads: list[threading.Thread] = []

    def take() -> None:
        thread = threading.Thread(target=handle_stream, args=listener.accept()[:1], daemon=True)
        threads.append(thread)
        thread.start()

    with loop(listener, take):
        yield
    for each in threads:
        each.join(5)


@contextmanager
def tcp_listener() -> Iterator[socket.socket]:
    """Give a listening TCP socket."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield listener


@contextmanager
def unix_listener() -> Iterator[socket.socket]:
    """Give a listening Unix stream socket in a private directory."""
    directory = tempfile.mkdtemp()
    path = f"{directory}/s"
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(128)
            yield listener
    finally:
        os.unlink(path)
        os.rmdir(directory)


@pytest.fixture
def sync_tcp() -> Iterator[Any]:
    with tcp_listener() as listener, sync_stream(listener):
        yield listener.getsockname()


@pytest.fixture
def threading_tcp() -> Iterator[Any]:
    with tcp_listener() as listener, threading_stream(listener):
        yield listener.getsockname()


@pytest.fixture
def sync_unix_stream() -> Iterator[Any]:
    with unix_listener() as listener, sync_stream(listener):
        yield listener.getsockname()


@pytest.fixture
def threading_unix_stream() -> Iterator[Any]:
    with unix_listener() as listener, threading_stream(listener):
        yield listener.getsockname()


@pytest.fixture
def sync_udp() -> Iterator[Any]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind(("127.0.0.1", 0))

        def take() -> None:
            endpoint.sendto(*endpoint.recvfrom(8192))

        with loop(endpoint, take):
            yield endpoint.getsockname()


@pytest.fixture
def threading_udp() -> Iterator[Any]:
    threads: list[threading.Thread] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind(("127.0.0.1", 0))

        def take() -> None:
            thread = threading.Thread(target=endpoint.sendto, args=endpoint.recvfrom(8192), daemon=True)
            threads.append(thread)
            thread.start()

        with loop(endpoint, take):
            yield endpoint.getsockname()
        for each in threads:
            each.join(5)
