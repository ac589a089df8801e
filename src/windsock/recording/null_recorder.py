"""The recorder of connections whose server is gone, and the interface that connections use."""

from __future__ import annotations

from typing import Any, Protocol

from windsock.recording.pending import Pending

__all__ = ["NO_RECORDER", "Hand", "NullRecorder"]


class Hand(Protocol):
    """What acts on the connections of a running server."""

    def send(self, connection: Any, data: bytes, timeout: float | None) -> None:
        """Send bytes to a client."""
        ...

    def end(self, connection: Any, how: str) -> None:
        """End a connection: "half_close", "close" or "reset"."""
        ...


class NullRecorder:
    """The base of Recorder, which overrides all of it: records nothing."""

    is_child = False
    waiters: Any = ()
    """Those who wait, if there are any."""
    hand: Hand | None = None
    """What acts on its connections for the test, while their server runs."""

    def __init__(self) -> None:
        self.pending: Pending = Pending()

    def catch_up(self) -> None:
        """Do nothing: nothing more will come."""

    def settle(self) -> None:
        """Do nothing: nothing more will come."""

    def wake(self) -> None:
        """Do nothing: there are no waiters."""

    def was_stopped_at(self, time: float) -> bool:  # noqa: ARG002  # as Recorder's
        """Return True: whatever still happens, the server's stop caused it."""
        return True

    def hold(self, connection: Any, size: int) -> None:
        """Do nothing: nothing is counted."""

    def tell_parent(self, index: int, event: Any) -> None:
        """Do nothing: there is no parent."""

    def error_from_child(self, connection: Any, parcel: bytes) -> None:
        """Do nothing: errors are no longer recorded."""


NO_RECORDER = NullRecorder()
