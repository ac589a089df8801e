"""The data of a connection whose protocol is known, cut where messages end, with what these are in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from windsock.protocols.protocol import Protocol
from windsock.recording.cutter import Cutter
from windsock.recording.events import Kind
from windsock.recording.protocol_framing import ProtocolFraming
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript.data import shown
from windsock.recording.transcript.events import DATA, PREVIEW

__all__ = ["WithMessages"]

MOST = 120
"""The most characters that a line says of a message."""


class WithMessages:
    """Cuts the data of one connection where messages end. It remembers the start of a message from call to call."""

    def __init__(self, protocol: Protocol, *, is_datagram: bool) -> None:
        self._protocol = protocol
        self._is_datagram = is_datagram
        framing = ProtocolFraming(protocol).begin()
        self._cutters: dict[int, _MessageCutter] = {
            Kind.UP: _MessageCutter(framing),
            Kind.DOWN: _MessageCutter(framing.replies),
        }

    def of(self, events: Iterable[Event]) -> Iterator[tuple[float, int, bytes, str]]:
        """Give the events; what completes a message is an event of its own, with the message in words."""
        for time, kind, data in events:
            if kind not in DATA:
                yield time, kind, data, ""
            elif self._is_datagram:
                yield time, kind, data, _words(data, self._protocol, is_reply=kind == Kind.DOWN)
            else:
                for part, words in self._cutters[kind].parts(data):
                    yield time, kind, part, words


class _MessageCutter:
    """Cuts the data of one direction of a stream."""

    def __init__(self, framing: ProtocolFraming) -> None:
        self._framing = framing
        self._cutter: Cutter | None = Cutter(framing)

    def parts(self, data: bytes) -> Iterator[tuple[bytes, str]]:
        """Give the parts of the data, each with the message that it completes in words; "" where it completes none."""
        if self._cutter is None:
            yield data, ""
            return
        start = 0
        for end, words in self._messages(self._cutter, data):
            yield data[start:end], words
            start = end
        if start < len(data):
            yield data[start:], ""

    def _messages(self, cutter: Cutter, data: bytes) -> Iterator[tuple[int, str]]:
        """Give each message that the data completes, with where it ends in the data."""
        cutter.feed(data)
        try:
            while (message := cutter.cut()) is not None:
                words = _words(message, self._framing.protocol, is_reply=self._framing.is_reply)
                yield len(data) - len(cutter), words
        except Exception:  # from here on there are no messages
            self._cutter = None


def _words(message: bytes, protocol: Protocol, *, is_reply: bool) -> str:
    words, is_message = protocol.in_words(message, is_reply=is_reply)
    if not is_message:
        body = protocol.body(message)
        return f"{words}: {shown(body[:PREVIEW], len(body))}"
    return words if len(words) <= MOST else f"{words[:MOST]}..."
