"""Temporary files on the real file system, even if a test has replaced it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from windsock.errors import RecordingFailed
from windsock.net.system import fcntl, os

__all__ = ["directory", "nameless_file", "temporary_directory", "temporary_file", "write_file"]


def temporary_directory() -> str:
    """Return the directory that `tempfile` uses, by its documented rules, on the real file system."""
    import tempfile

    if tempfile.tempdir is not None:
        return os.fsdecode(tempfile.tempdir)
    places = (*map(os.environ.get, ("TMPDIR", "TEMP", "TMP")), "/tmp", "/var/tmp", "/usr/tmp")
    return next((each for each in places if each and os.access(each, os.W_OK)), os.getcwd())


def nameless_file(purpose: str, *, is_large: bool) -> int:
    """Return the descriptor of a new file without a name; each write appends to it.

    A large file is in the temporary directory, so that it does not occupy memory, a small one in memory
    (memfd_create(2)); if that is impossible, the other way round. Raises RecordingFailed, which names the purpose, if
    neither is possible.
    """
    try:
        return _on_disk() if is_large else _in_memory()
    except OSError as error:
        try:
            return _in_memory() if is_large else _on_disk()
        except OSError as second:
            cause = error if is_large else second
            raise RecordingFailed(f"no file can be created for {purpose}", directory(), cause) from cause


def directory() -> str:
    """Return the temporary directory, even if it is unusable."""
    import tempfile

    return str(tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp")  # for messages only


def write_file(path: str, content: bytes) -> None:
    """Create a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def temporary_file(content: bytes) -> Iterator[str]:
    """Create a file with this content for the duration of a `with` block, and yield its path."""
    path = _unused_path()
    try:
        write_file(path, content)
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _on_disk() -> int:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_APPEND
    with contextlib.suppress(AttributeError, OSError):  # not on this system or file system
        return os.open(temporary_directory(), flags | os.O_TMPFILE, 0o600)
    path = _unused_path()
    descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    return descriptor


def _in_memory() -> int:
    if not hasattr(os, "memfd_create"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    descriptor = os.memfd_create("windsock")
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
    return descriptor


def _unused_path() -> str:
    return f"{temporary_directory()}/windsock-{os.urandom(8).hex()}"
