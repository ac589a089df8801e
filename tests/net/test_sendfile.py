"""A file is sent as the standard library's sockets send one."""

from __future__ import annotations

import io
import socket
from pathlib import Path
from typing import Any

import pytest

from windsock.net.sendfile import send_file

CONTENT = bytes(range(200))


def by_the_standard_library(file: Any, offset: int, count: int | None) -> tuple[int, bytes]:
    one, other = socket.socketpair()
    with one, other:
        size = one.sendfile(file, offset, count)
        one.shutdown(socket.SHUT_WR)
        return size, b"".join(iter(lambda: other.recv(1000), b""))


@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize(("offset", "count"), [(0, None), (0, 10), (150, None), (150, 20), (150, 100), (500, None)])
def test_the_same_goes_out_and_the_file_is_at_the_same_place(offset: int, count: int | None, block: int) -> None:
    theirs, ours, out = io.BytesIO(CONTENT), io.BytesIO(CONTENT), bytearray()

    size = send_file(out.extend, ours, offset, count, block)

    assert (size, bytes(out)) == by_the_standard_library(theirs, offset, count)
    assert ours.tell() == theirs.tell()


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError), (1.0, TypeError)])
def test_a_count_that_is_none_is_refused(count: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        by_the_standard_library(io.BytesIO(CONTENT), 0, count)
    with pytest.raises(error, match="expected a positive integer, or None for all"):
        send_file(bytearray().extend, io.BytesIO(CONTENT), 0, count, 10)


def test_a_file_in_text_mode_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with (tmp_path / "text").open() as file, pytest.raises(ValueError, match="is in text mode; open it in binary mode"):
        send_file(bytearray().extend, file, 0, None, 10)


def test_after_a_failure_the_file_is_behind_what_was_sent() -> None:
    out = bytearray()

    def send_all(data: bytes) -> None:
        if len(out) == 20:
            raise BrokenPipeError
        out.extend(data)

    file = io.BytesIO(CONTENT)
    with pytest.raises(BrokenPipeError):
        send_file(send_all, file, 100, None, 10)
    assert file.tell() == 120
