"""Data to send that is not one run of bytes in memory: repeated bytes, files, generators, several pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO, TextIOBase
from typing import Any, ClassVar, Protocol, SupportsBytes, TypeAlias

from windsock.errors import UsageError
from windsock.net.system import os, threading
from windsock.protocols.values import as_bytes
from windsock.scripts.checks import check_count, checked_bytes, wanted
from windsock.scripts.repr import sketch

__all__ = ["BLOCK", "Body", "Data", "DataList", "Readable", "Repeat", "as_body", "parts_of"]

BLOCK = 64 * 1024
"""The most bytes that a file, or repeated bytes, are sent by at a time."""


class Readable(Protocol):
    """A file that was opened in binary mode."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; b"" at the end."""
        ...


class Body:
    """Data that is sent part by part. A part is made when the one before it has been sent."""

    __slots__ = ()
    is_for: ClassVar[str] = ""
    """The only kind of sockets that can send it, "stream"; empty: both."""

    def parts(self) -> Iterator[bytes]:
        """Yield the parts. Must be overridden."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, repr=False)
class Repeat(Body):
    """The bytes `data * times`, without the memory for them: `Repeat(b"x", 1 << 30)` is 1 GiB. For streams."""

    is_for: ClassVar[str] = "stream"
    data: bytes
    times: int

    def __post_init__(self) -> None:
        if not checked_bytes("Repeat", self.data):
            raise UsageError(f"Repeat({self.data!r}, ...): expected the bytes to repeat, at least one")
        check_count(f"Repeat({sketch(self.data)}, {self.times!r})", self.times)

    def __repr__(self) -> str:
        return f"Repeat({sketch(self.data)}, {self.times!r})"

    def __len__(self) -> int:
        return len(self.data) * self.times

    def parts(self) -> Iterator[bytes]:
        """See Body."""
        times = max(1, BLOCK // len(self.data))
        block = self.data * min(times, self.times)
        for _ in range(self.times // times):
            yield block
        if self.times % times:
            yield self.data * (self.times % times)


class _Handed(Body):
    """Data of an object that a test has passed. It is equal to data of the same object, `key`."""

    __slots__ = ("key",)

    def __init__(self, key: object) -> None:
        self.key: object = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Handed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class FileBody(_Handed):
    """A file from the position that it had when it was passed; for streams.

    A file that can be sought is sent from there each time, by any number of connections at once; any other one once.
    """

    __slots__ = ("_descriptor", "_file", "_lock", "_once", "_start")
    is_for: ClassVar[str] = "stream"

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._start: int | None = file.tell() if _can_be_sought(file) else None
        super().__init__((file, self._start))
        self._once = _Once(repr(self)) if self._start is None else None
        self._descriptor = isinstance(file, FileIO) or isinstance(getattr(file, "raw", None), FileIO)
        """Whether pread(2) can read it, so that forked children do not move each other's position."""

    def __repr__(self) -> str:
        return repr(self._file)

    def parts(self) -> Iterator[bytes]:
        """See Body. Raises UsageError if the file has been closed."""
        if self._once is not None:
            self._once.use()
        position = self._start or 0
        while data := _bytes_of(self._read(position), repr(self), self):
            position += len(data)
            yield data

    def _read(self, position: int) -> Any:
        if self._file.closed:
            raise UsageError(f"{self!r}: the file was closed before it was sent; close it after the test's last reply")
        if self._start is None:
            return self._file.read(BLOCK)
        if self._descriptor:
            return os.pread(self._file.fileno(), BLOCK, position)
        with self._lock:
            self._file.seek(position)
            return self._file.read(BLOCK)


class Iterated(_Handed):
    """The bytes that a generator, or another iterator, yields; once. `where` it was given or made is for errors."""

    __slots__ = ("_iterator", "_once", "_where")

    def __init__(self, iterator: Iterator[Any], where: str) -> None:
        super().__init__(iterator)
        self._iterator = iterator
        self._where = where
        self._once = _Once(where)

    def __repr__(self) -> str:
        return repr(self._iterator)

    def parts(self) -> Iterator[bytes]:
        """See Body."""
        self._once.use()
        for number, each in enumerate(self._each(), 1):
            yield _bytes_of(each, self._where, self, number)

    def _each(self) -> Iterator[Any]:
        try:
            yield from self._iterator
        except Exception as error:
            error.add_note(f"raised by the generator of {self._where}")
            raise


@dataclass(frozen=True, slots=True)
class DataList(Body):
    """DataList runs of bytes: with datagrams, each is one."""

    items: tuple[bytes, ...]

    def __repr__(self) -> str:
        return repr(list(self.items))

    def parts(self) -> Iterator[bytes]:
        """See Body."""
        return iter(self.items)


class _Once:
    """Whether something that can be sent once was sent."""

    __slots__ = ("_is_used", "_where")

    def __init__(self, where: str) -> None:
        self._where = where
        self._is_used = False

    def use(self) -> None:
        """Raise UsageError on the second call."""
        if self._is_used:
            raise UsageError(
                f"{self._where}: it was sent before, and can be sent once; pass a function that returns a new one"
            )
        self._is_used = True


Run: TypeAlias = bytes | SupportsBytes
"""A run of bytes, or a message of a protocol."""
Data: TypeAlias = Run | Body | Sequence[Run] | Iterator[Run] | Readable
"""What can be sent: bytes, several runs of them in a list or a generator, a binary file, a Repeat."""


def as_body(where: str, what: object) -> bytes | Body | None:
    """Return data as bytes or a Body; None if it is neither. Raises UsageError for a file of text and the like."""
    if isinstance(what, Body):
        return what
    if (data := as_bytes(what)) is not None:
        return data
    if callable(getattr(what, "read", None)):
        return _file_body(where, what)
    if isinstance(what, list | tuple):
        if not what:
            raise UsageError(f"{where}: there is nothing in it; expected runs of bytes")
        return DataList(tuple(_bytes_of(each, where, what, number) for number, each in enumerate(what, 1)))
    if isinstance(what, Iterable) and callable(getattr(what, "__next__", None)):
        return Iterated(iter(what), where)
    return None


def parts_of(data: bytes | Body) -> Iterator[bytes]:
    """Return the parts to send, one by one."""
    return iter([data]) if isinstance(data, bytes) else data.parts()


def _file_body(where: str, file: Any) -> FileBody:
    if isinstance(file, TextIOBase):
        raise UsageError(f"{where}: a file of text has no bytes; open it in binary mode, as in open(path, 'rb')")
    if getattr(file, "closed", False):
        raise UsageError(f"{where}: the file is closed; leave it open until it has been sent")
    return FileBody(file)


def _can_be_sought(file: Any) -> bool:
    seekable = getattr(file, "seekable", None)
    return callable(seekable) and bool(seekable())


def _bytes_of(each: object, where: str, whole: object, number: int = 0) -> bytes:
    """Return a part as bytes. Raises UsageError if it is something else."""
    if (data := as_bytes(each)) is not None:
        return data
    which = f"item {number} of {whole!r} is" if number else "it gave"
    raise UsageError(f"{where}: {which} {each!r}; {wanted(each)}")
