"""An end of a relayed stream of which more may have been received than was read."""

from __future__ import annotations

from windsock.net.event_loop import READABLE
from windsock.relay.endpoint import RelayEndpoint

__all__ = ["BufferedEndpoint"]

MOST_IN_A_ROW = 64
"""Reads of what has been received, before others have their turn."""


class BufferedEndpoint(RelayEndpoint):
    """A side whose data is not all where the system could tell of it: more may have been received than was read."""

    _is_coming_back = False

    def may_have_more(self) -> bool:
        """Return whether there may be such data."""
        return True

    def ready(self, events: int) -> None:
        """Something can be read, or written, or has happened."""
        super().ready(events)
        self._come_back()

    def update(self) -> None:
        """Wait for what matters now; read what is here already."""
        was_open = self._is_reading()
        super().update()
        if not was_open and self._is_reading():
            self._come_back()

    def _is_reading(self) -> bool:
        return bool((self._watched or 0) & READABLE)

    def _come_back(self) -> None:
        if not self._is_coming_back and self.may_have_more() and not self._is_done() and self.flow.is_open():
            self._is_coming_back = True
            self.relay.event_loop.call(self._read_on)

    def _read_on(self) -> None:
        self._is_coming_back = False
        try:
            for _ in range(MOST_IN_A_ROW):
                if self._is_done() or not self.flow.is_open() or not self.may_have_more():
                    return
                before = self.carried
                self._carry()
                if self.carried == before:
                    return
        except BaseException as error:
            self.relay.broke(error)
            return
        self._come_back()
