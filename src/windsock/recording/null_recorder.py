"""What connections ask their recorder; the recorder of a connection whose server is gone."""

from __future__ import annotations

from typing import Any

from windsock.recording.pending import Pending

__all__ = ["NO_RECORDER", "NullRecorder"]


class NullRecorder:
    """The base of Recorder, which overrides all of it: nothing is recorded any more."""

    is_child = False
    waiters = 0

    def __init__(self) -> None:
        self.pending = Pending()

    def catch_up(self) -> None:
        """Nothing more will come."""

    def settle(self) -> None:
        """Nothing more will come."""

    def wake(self) -> None:
        """Do nothing: there are no waiters."""

    def was_stopped_at(self, time: float) -> bool:  # noqa: ARG002  # as Recorder's
        """Whatever still happens, it is because the server was stopped."""
        return True

    def hold(self, connection: Any, size: int) -> None:
        """Do nothing: nothing is counted any more."""

    def tell_parent(self, index: int, event: Any) -> None:
        """Do nothing: there are no listeners."""

    def error_from_child(self, connection: Any, parcel: bytes) -> None:
        """Do nothing: there are no listeners."""


NO_RECORDER = NullRecorder()
