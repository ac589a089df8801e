"""Whether there is something to read on a connection is asked while another thread may be closing it."""

from __future__ import annotations

import socket
import threading
from typing import Any, cast

import pytest

from tests.support.waiting import DEADLINE
from windsock.net.system import select
from windsock.taps.unread import Unread


class Forks:
    """A server whose connections belong to children."""

    def active_children(self) -> set[int]:
        return set()


class Connected:
    descriptor = -1


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="connections in children are watched by epoll, on Linux")
def test_a_connection_that_ends_while_it_is_looked_at_has_nothing_to_read() -> None:
    unread = Unread(Forks())
    connection = cast("Any", Connected())
    errors: list[BaseException] = []
    is_over = threading.Event()

    def look() -> None:
        try:
            while not is_over.is_set():
                unread.is_there(connection)
        except BaseException as error:
            errors.append(error)

    ours, theirs = socket.socketpair()
    looking = threading.Thread(target=look)
    with ours, theirs:
        looking.start()
        for _ in range(300):
            unread.watch(connection, ours)
            unread.close()
        is_over.set()
        looking.join(DEADLINE)

    assert not looking.is_alive()
    assert errors == []
