"""The recorder of a connection whose server is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windsock.recording.pending import Pending

if TYPE_CHECKING:
    from windsock.recording.connection import Connection
    from windsock.recording.store.log import Log
    from windsock.recording.store.spill_file import Event

__all__ = ["NO_RECORDER", "NullRecorder"]


class NullRecorder:
    """Answers what a Recorder answers, with nothing."""

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

    def hold(self, connection: Log, size: int) -> None:
        """Do nothing: nothing is counted any more."""

    def tell_parent(self, index: int, event: Event) -> None:
        """Do nothing: there are no listeners."""

    def error_from_child(self, connection: Connection, parcel: bytes) -> None:
        """Do nothing: there are no listeners."""


NO_RECORDER = NullRecorder()
