"""Record marking (RFC 5531, section 11): messages of Sun RPC on a stream, in fragments with their length. No I/O."""

from __future__ import annotations

from windsock.errors import UsageError
from windsock.protocols.xdr import DecodeError
from windsock.protocols.xdr.coding import shown

__all__ = ["RECORD_LIMIT", "RecordReader", "RecordTooLong", "mark_record", "record_in", "record_size", "unfinished"]

RECORD_LIMIT = 1024 * 1024
"""The most bytes of a record, unless a reader is given another limit."""
EMPTY_LIMIT = 1000
"""The most fragments without a byte in one record. RFC 5531 allows them, and a peer could send them without end."""
CALL_OF_VERSION_2 = bytes(7) + b"\2"
"""What follows the xid of a call. Behind a mark there would be an xid of 0, and a type of message that there is not."""
SHOWN = 64
"""Bytes that an error shows."""
LAST = 0x80000000
LONGEST = 0x7FFFFFFF


class RecordTooLong(DecodeError):
    """A fragment announces more bytes than a record may have (`limit`). `value` is the size with the fragment.

    `data` is what came from the mark on, as far as it is known.
    """

    def __init__(self, offset: int, size: int, limit: int, data: bytes = b"") -> None:
        self.limit = limit
        self.data = data
        what = f"; is this Sun RPC? {shown(data)}" if data else ""
        reason = f"a record of {size} bytes or more, over the limit of {limit}{what}"
        super().__init__(reason, offset=offset, type="record mark", value=size)


class RecordReader:
    """Cuts records out of bytes as they arrive; how the bytes were split on the way does not matter.

    `limit` is the most bytes of a record. Nothing is allocated for bytes that have only been announced.
    """

    def __init__(self, limit: int = RECORD_LIMIT) -> None:
        if type(limit) is not int or limit < 0:
            raise UsageError(f"RecordReader(limit={limit!r}): expected the most bytes of a record, 0 or more")
        self.limit = limit
        self.offset: int = 0
        """The number of bytes of the stream before the next record, or before what is known of it so far."""
        self._data = bytearray()
        self._record = bytearray()
        self._missing = 0
        """The bytes of the fragment that have not come."""
        self._is_last = False
        self._empty = 0
        self._is_between = True

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._data += data

    @property
    def is_unfinished(self) -> bool:
        """Whether the bytes so far end within a record, or hold one that has not been taken."""
        return not self._is_between or bool(self._data)

    def next_record(self) -> bytes | None:
        """Cut off the first record and return it; None if it is not complete.

        Raises RecordTooLong, and DecodeError for fragments without a byte and without end; and again at each call.
        """
        while self._missing or not self._is_last or self._is_between:
            if not (self._take_bytes() if self._missing else self._take_mark()):
                return None
        return self._take_record()

    def _take_bytes(self) -> bool:
        """Move what has come of the fragment to the record. Return whether anything has come."""
        size = min(self._missing, len(self._data))
        self._record += self._data[:size]
        del self._data[:size]
        self.offset += size
        self._missing -= size
        return size > 0

    def _take_mark(self) -> bool:
        """Begin a fragment. Return whether its mark has come."""
        if len(self._data) < 4:
            return False
        mark = int.from_bytes(self._data[:4], "big")
        size = mark & LONGEST
        self._check(size, is_last=mark >= LAST)
        del self._data[:4]
        self.offset += 4
        self._missing = size
        self._is_last = mark >= LAST
        self._empty += not size
        self._is_between = False
        return True

    def _check(self, size: int, *, is_last: bool) -> None:
        if len(self._record) + size > self.limit:
            raise RecordTooLong(self.offset, len(self._record) + size, self.limit, bytes(self._data[:SHOWN]))
        if not size and not is_last and self._empty >= EMPTY_LIMIT:
            raise _too_many_empty(self.offset)

    def _take_record(self) -> bytes:
        record = bytes(self._record)
        self._record.clear()
        self._is_last = False
        self._empty = 0
        self._is_between = True
        return record


def mark_record(record: bytes, fragment_size: int = LONGEST) -> bytes:
    """Return a record with its marks, in fragments of at most `fragment_size` bytes."""
    if type(fragment_size) is not int or not 1 <= fragment_size <= LONGEST:
        raise UsageError(f"fragment_size={fragment_size!r}: expected the most bytes of a fragment, 1 to {LONGEST}")
    if len(record) <= fragment_size:
        return (LAST | len(record)).to_bytes(4, "big") + record
    pieces = [record[start : start + fragment_size] for start in range(0, len(record), fragment_size)]
    marked = [len(each).to_bytes(4, "big") + each for each in pieces[:-1]]
    return b"".join(marked) + mark_record(pieces[-1], fragment_size)


def record_size(data: bytes, limit: int = LONGEST) -> int | None:
    """Return the size of the first record with its marks; None while it is not known.

    What a mark announces counts before it has come; a size over `limit` is returned as soon as it is announced. Raises
    DecodeError for fragments without a byte and without end.
    """
    end = empty = 0
    while len(data) >= end + 4:
        mark = int.from_bytes(data[end : end + 4], "big")
        empty += mark == 0
        if empty > EMPTY_LIMIT:
            raise _too_many_empty(end)
        end += 4 + (mark & LONGEST)
        if mark >= LAST or end > limit:
            return end
    return None


def record_in(data: bytes) -> bytes:
    """Return a record without its marks, if the bytes are just one record; otherwise return them as they are.

    So the message of a stream and that of a datagram are read alike. A call without marks is never taken for a record.
    """
    if data[4:12] == CALL_OF_VERSION_2:
        return data
    reader = RecordReader(len(data))
    reader.feed(data)
    try:
        record = reader.next_record()
    except DecodeError:
        return data
    return data if record is None or reader.is_unfinished else record


def unfinished(data: bytes) -> DecodeError | None:
    """Return why the bytes are no record, if they end within one."""
    size = record_size(data)
    if size is not None and size <= len(data):
        return None
    whole = (
        "before the last fragment of a record" if size is None else f"within a record of {size} bytes with its marks"
    )
    return DecodeError(f"what came ends here, {whole}", offset=len(data), type="record")


def _too_many_empty(offset: int) -> DecodeError:
    reason = f"more than {EMPTY_LIMIT} fragments without a byte in one record"
    return DecodeError(reason, offset=offset, type="record mark", value=0)
