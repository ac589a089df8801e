"""RESP, the serialization protocol of redis: sizes of messages, and their bytes as values. No I/O.

https://redis.io/docs/latest/develop/reference/protocol-spec/ is the standard. Streamed strings and aggregates, which it
mentions and redis does not send, are no messages here.
"""

from __future__ import annotations

import re
from typing import Any

from windsock.protocols.errors import DecodeError
from windsock.protocols.redis.values import Command, RedisReply, text_of

__all__ = ["command_in", "command_size", "reply_in", "reply_size"]

DEEPEST = 64
"""The most levels of arrays within each other."""
LONGEST_LINE = 64 * 1024
"""The most bytes of a line: a number, a simple string, an inline command."""
NUMBER = re.compile(rb"[+-]?\d{1,20}")
BIG_NUMBER = re.compile(rb"[+-]?\d{1,4000}")
DOUBLE = re.compile(rb"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|inf)|-?nan")
BLANK = re.compile(rb"(?:\r?\n)*")
WORD = re.compile(rb"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)""", re.DOTALL)
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
LINES = b"+-:_#,("
STRINGS = b"$!="
AGGREGATES = b"*~>%|"


# --- commands


def command_size(data: bytes) -> int | None:
    """Return the size of the first command, with blank lines before it, or None. Raises DecodeError."""
    start = 0 if data[0] == 0x2A else _blank(data)
    if start == len(data):
        return None
    if data[start] != 0x2A:
        _check_line(data, start)
        return data.find(b"\n", start) + 1 or None
    position = data.find(b"\r\n", start) + 2
    if position == 1:
        _check_line(data, start)
        return None
    size = len(data)
    for _ in range(_length(data[start + 1 : position - 2])):
        if position >= size:
            return None
        if data[position] != 0x24:
            raise DecodeError(f"expected '$', got {data[position : position + 1]!r}", offset=position, type="argument")
        end = data.find(b"\r\n", position)
        if end < 0:
            _check_line(data, position)
            return None
        position = end + 4 + _length(data[position + 1 : end])
    return position


def command_in(data: bytes) -> Command:
    """Return a whole message as a command: an array of strings, or an inline command. Raises DecodeError."""
    data = data[_blank(data) :]
    if data[:1] != b"*":
        return Command(*_inline_words(data))
    position, words = data.find(b"\r\n") + 2, []
    for _ in range(_length(data[1 : position - 2])):
        end = data.find(b"\r\n", position)
        if end < 0 or data[position] != 0x24:
            raise DecodeError("a command is an array of strings", offset=position, type="argument")
        start, position = end + 2, end + 4 + _length(data[position + 1 : end])
        words.append(data[start : position - 2])
    if data[-2:] != b"\r\n" or position != len(data):
        raise DecodeError(f"expected the end at {position}, and it is at {len(data)}", offset=position, type="end")
    return Command(*words)


def _blank(data: bytes) -> int:
    found = BLANK.match(data)
    return 0 if found is None else found.end()


def _inline_words(line: bytes) -> list[bytes]:
    if not line.endswith(b"\n"):
        raise DecodeError("an inline command without a line end")
    words, position, line = [], 0, line.strip()
    while position < len(line):
        found = WORD.match(line, position)
        if found is None:
            raise DecodeError("unbalanced quotes in an inline command", offset=position, type="word")
        double, single, plain = found.groups()
        words.append(plain if plain is not None else _unquoted(double, single))
        position = found.end()
    return words


def _unquoted(double: bytes | None, single: bytes | None) -> bytes:
    if double is None:
        return (single or b"").replace(b"\\'", b"'")
    return ESCAPE.sub(_escaped, double)


def _escaped(found: re.Match[bytes]) -> bytes:
    what = found[1]
    return bytes([int(what[1:], 16)]) if len(what) == 3 else ESCAPES.get(what, what)


# --- replies


def reply_size(data: bytes) -> int | None:
    """Return the size of the first reply, or None. Raises DecodeError for what is none."""
    position, missing = 0, 1
    while missing:
        if position >= len(data):
            return None
        kind = data[position]
        end = data.find(b"\r\n", position)
        if end < 0:
            _check_kind(kind, position)
            _check_line(data, position)
            return None
        head, position = data[position + 1 : end], end + 2
        missing -= 1
        if kind in STRINGS:
            position += 0 if kind == 0x24 and head == b"-1" else _length(head) + 2
        elif kind in AGGREGATES:
            missing += _elements(kind, head)
        else:
            _check_kind(kind, end - len(head) - 1)
    return position


def reply_in(data: bytes) -> RedisReply:
    """Return a whole message as a reply. Raises DecodeError."""
    reply, end = _reply_at(data, 0, 0)
    if end != len(data):
        raise DecodeError(f"expected the end, and found {len(data) - end} bytes more", offset=end, type="end")
    return reply


def _reply_at(data: bytes, start: int, depth: int) -> tuple[RedisReply, int]:
    """Return the reply at an offset, and where it ends."""
    end = data.find(b"\r\n", start)
    if end < 0:
        raise DecodeError("a line without its end", offset=start, type="line")
    _check_kind(data[start], start)
    kind, head = chr(data[start]), data[start + 1 : end]
    if data[start] in AGGREGATES:
        if depth == DEEPEST:
            raise DecodeError(f"more than {DEEPEST} levels within each other", offset=start, type="array")
        return _aggregate_at(data, kind, head, end + 2, depth)
    if data[start] in STRINGS:
        return _string_at(data, kind, head, end + 2)
    return RedisReply(kind, _value_of(kind, head, start)), end + 2


def _aggregate_at(data: bytes, kind: str, head: bytes, position: int, depth: int) -> tuple[RedisReply, int]:
    if kind == "*" and head == b"-1":
        return RedisReply(kind), position
    items = []
    for _ in range(_elements(ord(kind), head)):
        item, position = _reply_at(data, position, depth + 1)
        items.append(item)
    if kind == "%":
        return RedisReply(kind, tuple(zip(items[::2], items[1::2], strict=True))), position
    if kind == "|":
        pairs = tuple(zip(items[:-1:2], items[1:-1:2], strict=True))
        return RedisReply(kind, (pairs, items[-1])), position
    return RedisReply(kind, tuple(items)), position


def _string_at(data: bytes, kind: str, head: bytes, start: int) -> tuple[RedisReply, int]:
    if kind == "$" and head == b"-1":
        return RedisReply(kind), start
    end = start + _length(head)
    if data[end : end + 2] != b"\r\n":
        raise DecodeError(f"a string of {end - start} bytes without a line end behind it", offset=start, type="string")
    value: Any = data[start:end]
    if kind == "=":
        if value[3:4] != b":":
            raise DecodeError("a verbatim string without its format", offset=start, type="string")
        value = (text_of(value[:3]), value[4:])
    return RedisReply(kind, value), end + 2


def _value_of(kind: str, head: bytes, start: int) -> Any:
    if kind in "+-":
        return text_of(head)
    if kind == ":" and NUMBER.fullmatch(head):
        return int(head)
    if kind == "(" and BIG_NUMBER.fullmatch(head):
        return int(head)
    if kind == "," and DOUBLE.fullmatch(head):
        return float(head)
    if kind == "#" and head in (b"t", b"f"):
        return head == b"t"
    if kind == "_" and not head:
        return None
    raise DecodeError(f"{head[:32]!r} is no value of type {kind!r}", offset=start, type="line")


def _check_kind(kind: int, offset: int) -> None:
    if kind not in LINES and kind not in STRINGS and kind not in AGGREGATES:
        raise DecodeError(f"{bytes([kind])!r} is no type of RESP", offset=offset, type="type")


def _elements(kind: int, head: bytes) -> int:
    """Return how many replies an aggregate consists of."""
    if kind == 0x2A and head == b"-1":
        return 0
    count = _length(head)
    return count if kind in b"*~>" else 2 * count + (kind == 0x7C)


def _length(head: bytes) -> int:
    if head.isdigit() and len(head) < 11:
        return int(head)
    raise DecodeError(f"{head[:32]!r} is no length", type="length")


def _check_line(data: bytes, start: int) -> None:
    """Raise DecodeError for a line without an end that is too long."""
    if len(data) - start > LONGEST_LINE and data.find(b"\n", start, start + LONGEST_LINE) < 0:
        raise DecodeError(f"a line of more than {LONGEST_LINE} bytes", offset=start, type="line")
