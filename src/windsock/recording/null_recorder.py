"""What a connection has in its recorder's place once the server is gone."""

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
        """Nobody waits."""

    def was_stopped_at(self, time: float) -> bool:  # noqa: ARG002  # as Recorder's
        """Whatever still happens, it is because the server was stopped."""
        return True

    def hold(self, connection: Log, size: int) -> None:
        """Nobody counts any more."""

    def tell_parent(self, index: int, event: Event) -> None:
        """Nobody listens."""

    def error_from_child(self, connection: Connection, parcel: bytes) -> None:
        """Nobody listens."""


NO_RECORDER = NullRecorder()
