"""An endpoint of a relayed stream that may have received more data than was read."""

from __future__ import annotations

from windsock.net.event_loop import READABLE
from windsock.relay.endpoint import RelayEndpoint

__all__ = ["BufferedEndpoint"]

MOST_IN_A_ROW = 64
"""The number of reads of received data before other connections have their turn."""


class BufferedEndpoint(RelayEndpoint):
    """An endpoint with received data that the kernel does not report as readable."""

    _is_coming_back = False

    def may_have_more(self) -> bool:
        """Return whether there may be such data."""
        return True

    def ready(self, events: int) -> None:
        """Handle events: readable, writable, or an error."""
        super().ready(events)
        self._come_back()

    def update(self) -> None:
        """Watch for the events that matter now, and read data that is here already."""
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
