"""The parts of a secret value that are looked for wherever they stand, as no other word of a report is like them."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

__all__ = ["distinctive_parts"]

SHORTEST = 6
"""Bytes of a part that has digits beside other characters..."""
LONG = 12
"""...and of any other."""
ADDRESS = re.compile(rb"(?:\d+(?:\.\d+){3}|localhost|\[?[\da-f]*(?::[\da-f]*){2,7}\]?)(?::\d+)?", re.IGNORECASE)
PART = re.compile(rb"([\w.-]+)=(?!=*(?:[\s;,&]|$))(?:\"([^\"]*)\"|([^\s;,&\"']+))|([^\s;,&\"']+)")
"""A name with a value, quoted or not, or a word."""
PUBLIC = frozenset(
    b"path domain expires max-age samesite version comment realm uri username user algorithm qop nc opaque".split()
)
"""Names of values that are no secrets: attributes of cookies (RFC 6265) and of Digest (RFC 7616)."""


def distinctive_parts(secret: bytes) -> Iterator[bytes]:
    """Give a secret value and the values and words in it, also in base64, as far as they are distinctive."""
    if _is_distinctive(secret):
        yield secret
    for name, quoted, value, word in PART.findall(secret):
        part = quoted or value or word
        if name.lower() not in PUBLIC:
            yield from filter(_is_distinctive, (part, _password_in(part)))


def _is_distinctive(part: bytes) -> bool:
    if ADDRESS.fullmatch(part):
        return False
    is_mixed = any(map(str.isdigit, part.decode("latin-1"))) and not part.isdigit()
    return len(part) >= (SHORTEST if is_mixed else LONG)


def _password_in(part: bytes) -> bytes:
    """Return the last field of readable text in base64, as Basic and PLAIN have it; otherwise nothing."""
    try:
        text = binascii.a2b_base64(part, strict_mode=True).decode()
    except ValueError:
        return b""
    fields = re.split("[:\0\1]", text.strip("\1"))
    return fields[-1].encode() if all(map(str.isprintable, fields)) else b""
