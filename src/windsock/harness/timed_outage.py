"""An outage that ends by itself, while the test goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from windsock.errors import StillRunning
from windsock.net.deadlines import capped, to_stop
from windsock.net.system import threading
from windsock.scripts.checks import check_seconds

__all__ = ["timed_outage"]


@contextmanager
def timed_outage(outage: AbstractContextManager[None], seconds: float, timeout: float) -> Iterator[None]:
    """Be in an outage for `seconds`, or until the end of the `with` if that comes first.

    Raises UsageError for a value that is no duration, and StillRunning if the server is not up again `timeout` seconds
    after the end of the `with`.
    """
    check_seconds(f"outage_for({seconds!r})", seconds)
    is_over = threading.Event()
    failures: list[BaseException] = []
    left_by: list[BaseException] = []

    def end() -> None:
        is_over.wait(capped(seconds))
        error = left_by[0] if left_by else None
        try:
            outage.__exit__(*((None, None, None) if error is None else (type(error), error, error.__traceback__)))
        except BaseException as failure:  # raised in the test's thread
            failures.append(failure)

    thread = threading.Thread(target=end, name="windsock outage", daemon=True)
    outage.__enter__()
    try:
        thread.start()
    except BaseException:  # no thread can be started, or a signal's handler has raised
        if not thread.is_alive():
            outage.__exit__(None, None, None)
        is_over.set()
        raise
    try:
        yield
    except BaseException as error:
        left_by.append(error)
        raise
    finally:
        is_over.set()
        thread.join(to_stop(timeout))
        left_by.clear()  # it refers to this frame
        if thread.is_alive():
            raise StillRunning("the end of outage_for()", timeout, [thread.name])
    if failures:
        raise failures[0]
