"""sendfile() for socket-like objects whose bytes pass through Python: read and sent block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["send_file"]


def send_file(send_all: Callable[[Any], object], file: Any, offset: int, count: int | None, block: int) -> int:
    """Do what socket.socket.sendfile() does, with blocks of at most `block` bytes; return the number of bytes sent.

    The file's position is after the last block that was sent, even if `send_all` fails. Raises ValueError for a file
    in text mode and for a count below 1, TypeError for a count that is not an int.
    """
    _check(file, count)
    if offset:
        file.seek(offset)
    done = 0
    try:
        while count is None or done < count:
            data = file.read(block if count is None else min(block, count - done))
            if not data:
                break
            send_all(data)
            done += len(data)
    finally:
        if hasattr(file, "seek"):
            file.seek(offset + done)
    return done


def _check(file: Any, count: Any) -> None:
    if "b" not in getattr(file, "mode", "b"):
        raise ValueError(f"sendfile(): {file!r} is in text mode; open it in binary mode")
    if count is None:
        return
    if not isinstance(count, int):
        raise TypeError(f"sendfile(): count={count!r}: expected a positive integer, or None for all")
    if count <= 0:
        raise ValueError(f"sendfile(): count={count!r}: expected a positive integer, or None for all")
