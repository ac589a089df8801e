"""The data of a connection of Sun RPC, cut where its messages end, with what they are in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from windsock.protocols.record_marking import RecordReader
from windsock.protocols.xdr import DecodeError
from windsock.recording.framing import LIMIT
from windsock.recording.rpc import Programs, in_words
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript.data import shown
from windsock.recording.transcript.events import DATA, PREVIEW

__all__ = ["with_messages"]


def with_messages(
    events: Iterable[Event], programs: Programs, *, is_datagram: bool
) -> Iterator[tuple[float, int, bytes, str]]:
    """Give the events; what completes a message is an event of its own, with the message in words."""
    cutters: dict[int, _MessageCutter] = {kind: _MessageCutter(programs) for kind in DATA}
    for time, kind, data in events:
        if kind not in DATA:
            yield time, kind, data, ""
        elif is_datagram:
            yield time, kind, data, _words(data, programs)
        else:
            for part, words in cutters[kind].parts(data):
                yield time, kind, part, words


class _MessageCutter:
    """Cuts the data of one direction of a stream."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._reader: RecordReader | None = RecordReader(LIMIT)
        self._fed = 0

    def parts(self, data: bytes) -> Iterator[tuple[bytes, str]]:
        """Give the parts of the data, each with the message that it completes in words; "" where it completes none."""
        if self._reader is None:
            yield data, ""
            return
        start = 0
        for end, words in self._messages(self._reader, data):
            yield data[start:end], words
            start = end
        if start < len(data):
            yield data[start:], ""

    def _messages(self, reader: RecordReader, data: bytes) -> Iterator[tuple[int, str]]:
        """Give each message that the data completes, with where it ends in the data."""
        before, self._fed = self._fed, self._fed + len(data)
        reader.feed(data)
        try:
            while (record := reader.next_record()) is not None:
                yield reader.offset - before, _words(record, self._programs)
        except DecodeError:  # there are no more marks
            self._reader = None


def _words(message: bytes, programs: Programs) -> str:
    words = in_words(message, programs)
    return words if words.startswith(("call ", "reply ")) else f"{words}: {shown(message[:PREVIEW], len(message))}"
