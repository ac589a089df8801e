"""Data in a line of a transcript: text as text, anything else as a row of a hex dump."""

from __future__ import annotations

import codecs

from windsock.recording.transcript.events import PREVIEW

__all__ = ["shown"]

ROW = 16
"""The bytes that a row of a hex dump shows."""
PLAIN = bytes([*range(0x20, 0x7F), *b"\t\r\n"])
"""The bytes of ASCII that are read as they are."""


def shown(data: bytes, size: int) -> str:
    """Return the beginning of `size` bytes of data, of which `data` is enough to fill a line.

    A bytes literal if it is ASCII, for the most part; a str literal if it is other text in UTF-8; or hexadecimal.
    """
    head = data[:PREVIEW]
    is_cut = size > len(head)
    if _is_mostly(len(head.translate(None, PLAIN)), len(head)):
        text = "" if head.isascii() else _text(head, is_cut=is_cut)
        literal = repr(text or head)
    elif (text := _text(head, is_cut=is_cut)) and not head.isascii():
        literal = repr(text)
    else:
        return _row(data) + (" ..." if size > ROW else "")
    return f"{literal}..." if is_cut else literal


def _is_mostly(others: int, size: int) -> bool:
    """Return whether at most a quarter is something else."""
    return others * 4 <= size


def _text(head: bytes, *, is_cut: bool) -> str:
    """Return data as text if it is UTF-8 that people can read, without a character that is cut; otherwise nothing."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=not is_cut)
    except UnicodeDecodeError:
        return ""
    unreadable = sum(not (each.isprintable() or each in "\t\r\n") for each in text)
    return text if _is_mostly(unreadable, len(text)) else ""


def _row(data: bytes) -> str:
    row = data[:ROW]
    return f"{row.hex(' ')}  {''.join(chr(each) if 0x20 <= each < 0x7F else '.' for each in row)}"
