r"""Bytes as text that people can read in a diff, and back: `PING\r\n`, or hexadecimal digits. No I/O.

Text is as it is, except for line ends, tabs, backslashes and what cannot be seen, which are escaped as in Python's
literals; a space at either end is, too, since editors remove it. A secret is `\<redacted 12>`, with its size in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from windsock.redaction.redactor import mask_of
from windsock.redaction.rules import Span

__all__ = ["bytes_from", "text_of"]

NAMED = {"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
BYTES = {each[1:].encode(): bytes([ord(character)]) for character, each in NAMED.items()}
LINE_ENDS = ((rb"\r", b"\r"), (rb"\n", b"\n"), (rb"\t", b"\t"))
MOST_ESCAPED = 4
"""Data is written as hexadecimal digits if more than one byte in this number would be escaped."""
ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|<redacted \d+>|.)")
REDACTED = re.compile(rb"\\<redacted (\d+)>")


def text_of(data: bytes, secrets: Sequence[Span] = ()) -> str:
    """Return data as a line has it after its sign: " text", "x 00ff", or nothing for no data."""
    if not data:
        return ""
    runs = list(_runs(data, secrets))
    texts = [each if isinstance(each, int) else _escaped(each) for each in runs]
    escaped = sum(each.count(r"\x") for each in texts if isinstance(each, str))
    if escaped * MOST_ESCAPED > len(data):
        return "x " + "".join(_mark(each) if isinstance(each, int) else each.hex() for each in runs)
    return " " + _visible_ends("".join(_mark(each) if isinstance(each, int) else each for each in texts))


def _runs(data: bytes, secrets: Iterable[Span]) -> Iterable[bytes | int]:
    """Give the runs of data between secrets, and the sizes of these."""
    at = 0
    for start, end in secrets:
        yield data[at:start]
        yield end - start
        at = end
    yield data[at:]


def _mark(size: int) -> str:
    return rf"\<redacted {size}>"


def _escaped(data: bytes) -> str:
    text = data.decode(errors="surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(NAMED.get(each) or (each if each.isprintable() else _as_bytes(each)) for each in text)


def _as_bytes(character: str) -> str:
    return "".join(rf"\x{each:02x}" for each in character.encode(errors="surrogateescape"))


def _visible_ends(text: str) -> str:
    if text.endswith(" "):
        text = text[:-1] + r"\x20"
    return r"\x20" + text[1:] if text.startswith(" ") else text


def bytes_from(text: bytes, *, is_hex: bool) -> tuple[bytes, tuple[Span, ...]]:
    """Return the data of a line with masks for secrets, and where they are. Raises ValueError for anything else."""
    if rb"\<" not in text:
        return (bytes.fromhex(text.decode("ascii")) if is_hex else _unescaped(_checked(text))), ()
    data, secrets = bytearray(), []
    pieces = REDACTED.split(text)
    for number, piece in enumerate(pieces):
        if number % 2:
            secrets.append((len(data), len(data) + int(piece)))
            data += mask_of(int(piece))
        else:
            data += bytes.fromhex(piece.decode("ascii")) if is_hex else _unescaped(_checked(piece))
    return bytes(data), tuple(secrets)


def _unescaped(text: bytes) -> bytes:
    if rb"\\" in text or rb"\x" in text:
        return ESCAPE.sub(_byte, text)
    for name, byte in LINE_ENDS:  # most text has no other escapes, and this is quicker
        text = text.replace(name, byte)
    return text


def _checked(text: bytes) -> bytes:
    text.decode()
    return text


def _byte(match: re.Match[bytes]) -> bytes:
    name = match[1]
    return BYTES[name] if name in BYTES else bytes.fromhex(name[1:].decode("ascii"))
