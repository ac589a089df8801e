"""A flag that one thread waits for."""

from __future__ import annotations

import threading

from tests.support.waiting import DEADLINE
from windsock.net.flag import Flag


def test_a_flag_that_another_thread_sets_ends_the_wait() -> None:
    flag = Flag()
    threading.Thread(target=flag.set).start()

    assert flag.wait(DEADLINE)


def test_a_flag_that_is_not_set_is_waited_for_as_long_as_asked() -> None:
    assert not Flag().wait(0.01)
