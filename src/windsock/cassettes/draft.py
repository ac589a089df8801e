"""The file that a recording is written to beside its cassette, and which takes its place when it is whole."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from io import BufferedWriter, FileIO
from itertools import chain

from windsock.captures.files import make_directory
from windsock.cassettes.cassette import END
from windsock.cassettes.errors import CassetteError
from windsock.cassettes.header import Header
from windsock.cassettes.line import CassetteLine, line_text
from windsock.net.system import fcntl, os

__all__ = ["Draft", "write_cassette"]

SUFFIX = ".part"
BUFFER = 256 * 1024
"""Bytes that are written at a time."""


class Draft:
    """A lock on a cassette that is being recorded, and the file for it: empty until `keep()`.

    The file stays behind if the process is killed, and the next recording takes it over. Raises CassetteError if
    another recording of the same cassette is in progress, here or in another process, or if the file cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._draft = path + SUFFIX
        if os.path.isdir(os.path.abspath(path)):
            raise CassetteError(path, "it cannot be written: it is a directory; expected the path of a file")
        try:
            make_directory(os.path.dirname(os.path.abspath(path)))
            self._descriptor = self._locked()
        except BlockingIOError:
            why = "another test or process is recording it; give each its own file, or run them one after the other"
            raise CassetteError(path, why) from None
        except OSError as error:
            why = f"it cannot be written: {error.strerror} ({self._draft}); expected a directory that can be written to"
            raise CassetteError(path, why) from error

    def _locked(self) -> int:
        """Open the file and lock it. A file that another recording has just put in its place is not ours to write."""
        while True:
            descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_in_place(descriptor):
                    os.ftruncate(descriptor, 0)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            there = os.lstat(self._draft)
        except FileNotFoundError:
            return False
        return there.st_ino == os.fstat(descriptor).st_ino

    def keep(self, header: Header, lines: Iterable[CassetteLine]) -> None:
        """Write a cassette, and have the file take the place of the one that was there. Raises CassetteError."""
        try:
            with BufferedWriter(FileIO(self._descriptor, "w", closefd=False), BUFFER) as file:
                for text in chain(header.lines(), map(line_text, lines), [END.decode()]):
                    file.write(text.encode() + b"\n")
                file.flush()
                os.fsync(self._descriptor)
            os.replace(self._draft, self._path)
        except OSError as error:
            raise CassetteError(self._path, f"it cannot be written: {error.strerror}") from error
        self._release()

    def discard(self) -> None:
        """Remove the file; the cassette stays as it was. Idempotent, also after `keep()`."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.unlink(self._draft)
            self._release()

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may have a copy
        os.close(descriptor)


def write_cassette(path: str | os.PathLike[str], header: Header, lines: Iterable[CassetteLine]) -> None:
    """Write a cassette from lines, in the place of one that is there. Raises CassetteError; then that stays."""
    draft = Draft(os.fspath(path))
    try:
        draft.keep(header, lines)
    finally:
        draft.discard()
