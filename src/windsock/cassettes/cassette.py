"""A cassette file, checked line by line when it is opened, and read back a line at a time: it may be large."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Self

from windsock.cassettes.errors import RENEW, CassetteError
from windsock.cassettes.header import FIRST, VERSION, Header
from windsock.cassettes.line import CassetteLine, checked, line_from
from windsock.net.system import os
from windsock.recording import Framing

__all__ = ["END", "Cassette"]

END = b"end"
"""The last line."""
BLOCK = 256 * 1024
"""Bytes that are read at a time."""
WINDOW = 32 * 1024
"""Bytes that are read at a time of one connection."""


class Cassette:
    """A cassette that has been opened and checked; a context manager, which closes it.

    `header` is what its first lines say. Memory is taken for the offset of each line alone. Raises CassetteError for a
    file that is missing, empty, damaged, or from a newer version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: str = os.fspath(path)
        self._offsets: dict[int, array[int]] = {}
        self._descriptor = -1
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            self.header: Header = self._check()
        except OSError as error:
            self.close()
            raise CassetteError(self.path, f"it cannot be read: {error.strerror}; {_remedy(error)}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @property
    def numbers(self) -> list[int]:
        """The numbers of its connections, in the order in which they began."""
        return list(self._offsets)

    def size_of(self, connection: int) -> int:
        """Return how many lines a connection has."""
        return len(self._offsets[connection])

    def lines(self, connection: int, start: int = 0) -> Iterator[tuple[int, CassetteLine]]:
        """Give the lines of a connection from the start-th on, each with its offset in the file."""
        window, begins = b"", 0
        offsets = self._offsets[connection]
        for number in range(start, len(offsets)):
            at = offsets[number]
            end = window.find(b"\n", at - begins) if begins <= at < begins + len(window) else -1
            if end < 0:
                begins, window = at, self._window(at)
                end = window.find(b"\n")
            line = line_from(window[at - begins : end].removesuffix(b"\r"))
            if line is None:
                raise CassetteError(self.path, "it was changed while it was replayed; expected no change until the end")
            yield at, line

    def all_lines(self) -> Iterator[tuple[int, CassetteLine]]:
        """Give the lines of all connections in the order of the file, each with its offset."""
        for at, text in self._texts():
            line = line_from(text)
            if line is not None:
                yield at, line

    def _texts(self) -> Iterator[tuple[int, bytes]]:
        """Give each line of the file without its line end, with its offset."""
        at, rest = 0, b""
        while block := os.pread(self._descriptor, BLOCK, at + len(rest)):
            *texts, rest = (rest + block).split(b"\n")
            for text in texts:
                yield at, text.removesuffix(b"\r")
                at += len(text) + 1
        if rest:
            yield at, rest.removesuffix(b"\r")

    def framing(self) -> Framing | None:
        """Return the framing that cut its messages. Raises CassetteError for one that has to be passed."""
        try:
            return self.header.framing_value()
        except ValueError as error:
            raise CassetteError(self.path, str(error)) from None

    def line_number(self, offset: int) -> int:
        """Return the number of the line, from 1, that begins at an offset."""
        number, at = 1, 0
        while at < offset:
            block = os.pread(self._descriptor, min(BLOCK, offset - at), at)
            number += block.count(b"\n")
            at += len(block)
        return number

    def _window(self, at: int) -> bytes:
        """Return bytes of the file from a line on, with its line end."""
        size = WINDOW
        while b"\n" not in (window := os.pread(self._descriptor, size, at)) and len(window) == size:
            size *= 8
        return window if b"\n" in window else window + b"\n"

    # --- checking

    def _check(self) -> Header:
        texts = enumerate(self._texts(), start=1)
        header, number = self._check_header(texts)
        for number, (at, text) in texts:
            if text == END:
                break
            if text and not text.startswith(b"#"):
                self._check_line(text, number, at)
        else:
            why = f"it ends without the line {END.decode()!r}: a part of it is missing; {RENEW}"
            raise CassetteError(self.path, why, number)
        for number, (_, text) in texts:
            if text.strip():
                raise CassetteError(self.path, f"something follows after the line {END.decode()!r}", number)
        return header

    def _check_header(self, texts: Iterator[tuple[int, tuple[int, bytes]]]) -> tuple[Header, int]:
        """Return what the first lines say, and the number of the empty one after them."""
        number, (_, first) = next(texts, (0, (0, b"")))
        if not number:
            raise CassetteError(self.path, f"it is empty; {RENEW}")
        self._check_version(first.decode(errors="replace"))
        header = Header("")
        for number, (_, text) in texts:
            if not text:
                break
            line = text.decode(errors="replace")
            try:
                header = header.with_value(*line.split(": ", 1))
            except (TypeError, ValueError) as error:
                raise CassetteError(self.path, f"{line[:60]!r}: {Header.EXPECTED}", number) from error
        if not header.transport:
            raise CassetteError(self.path, "its first lines have no 'transport: '", number)
        return header, number

    def _check_version(self, first: str) -> None:
        version = first.removeprefix(FIRST)
        if version == first:
            raise CassetteError(self.path, f"it is no cassette: expected {FIRST}{VERSION}, got {first[:60]!r}", 1)
        if not version.isdecimal():
            raise CassetteError(self.path, f"version {version!r}: expected a whole number", 1)
        if int(version) > VERSION:
            why = f"it has version {version}, and this windsock reads version {VERSION}; upgrade pytest-windsock"
            raise CassetteError(self.path, why, 1)

    def _check_line(self, text: bytes, number: int, at: int) -> None:
        found = checked(text)
        if found is None:
            shown = ascii(text[:60].decode(errors="replace"))
            raise CassetteError(self.path, rf"{shown} is no line of a cassette, such as '+0.001 1 > PING\r\n'", number)
        connection, is_opened = found
        offsets = self._offsets.get(connection)
        if offsets is None:
            if not is_opened:
                raise CassetteError(self.path, f"connection {connection} has no line 'opened' before this", number)
            self._offsets[connection] = offsets = array("Q")
        elif is_opened:
            raise CassetteError(self.path, f"connection {connection} is opened a second time", number)
        offsets.append(at)


def _remedy(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "record it first, in tests with --windsock-cassettes=record"
    return "expected a file" if isinstance(error, IsADirectoryError) else "check its permissions"
