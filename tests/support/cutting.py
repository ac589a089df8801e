"""Cutting any bytes into the messages of a protocol, for tests of its decoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from windsock.protocols import DecodeError, Protocol

__all__ = ["cut_all"]


def cut_all(protocol: Protocol, data: bytes, *, is_reply: bool) -> Iterator[Any]:
    """Cut and decode all messages; no other errors than DecodeError pass, and each cut takes at least a byte."""
    connection = protocol.begin()
    while data:
        try:
            size = (connection.reply_size if is_reply else connection.size)(data)
        except DecodeError:
            return
        assert size is None or size > 0
        if size is None or size > len(data):
            return
        connection.passed(data[:size], is_reply=is_reply)
        try:
            found = (protocol.decode_reply if is_reply else protocol.decode)(data[:size])
        except DecodeError:
            pass
        else:
            yield found
        data = data[size:]
