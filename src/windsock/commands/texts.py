"""Values that a command line has as text: addresses, bytes, framings and certificates."""

from __future__ import annotations

import re
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.registry import SHIPPED

__all__ = ["address_from", "bytes_from", "certificate_from", "pattern_from", "size_or_word"]

ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([rnt0\\-]))|(\\)|([^\\]+)")
SCHEMES = {
    "https": ("http", True),
    "mqtts": ("mqtt", True),
    "postgres": ("postgresql", False),
    "rediss": ("redis", True),
    "smtps": ("smtp", True),
    "ws": ("websocket", False),
    "wss": ("websocket", True),
}
"""The protocol that a scheme stands for, and whether it is spoken over TLS, where the name does not say it."""
PORTS = {
    "amqp": 5672,
    "http": 80,
    "https": 443,
    "ldap": 389,
    "mqtt": 1883,
    "mqtts": 8883,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "smtp": 25,
    "smtps": 465,
    "ws": 80,
    "wss": 443,
}
MEANT = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", "-": b"-"}


def bytes_from(text: str) -> bytes:
    r"""Return the bytes of a text in UTF-8, with the escapes `\r \n \t \0 \\ \- \xHH`. Raises UsageError for others."""
    parts = []
    for found in ESCAPE.finditer(text):
        if found[3] is not None:
            raise UsageError(
                rf"{text!r}, column {found.start() + 1}: expected one of \r \n \t \0 \\ \- \xHH after the backslash; "
                r"write \\ for a backslash itself"
            )
        escaped = bytes.fromhex(found[1]) if found[1] else MEANT.get(found[2], b"")
        parts.append(escaped or found[4].encode(errors="surrogateescape"))
    return b"".join(parts)


def pattern_from(text: str) -> re.Pattern[bytes]:
    """Return a regular expression of bytes. Raises UsageError for one that is malformed."""
    try:
        return re.compile(text.encode(errors="surrogateescape"))
    except re.error as error:
        raise UsageError(f"{text!r}: expected a regular expression: {error}") from None


def address_from(text: str) -> Any:
    """Return the address for `HOST:PORT`, `[::1]:PORT`, `:PORT` (of 127.0.0.1), a path with a `/`, or `@name`.

    Raises UsageError for any other text.
    """
    if text.startswith("@") and len(text) > 1:
        return f"\0{text[1:]}"
    if "://" in text:
        raise UsageError(f"address {text!r}: it is a URL; expected {_of_url(text)}")
    if "/" in text:
        return text
    host, colon, port = text.rpartition(":")
    is_ipv6 = host.startswith("[") and host.endswith("]")
    if not (colon and re.fullmatch("[0-9]{1,5}", port) and int(port) < 65536) or (":" in host and not is_ipv6):
        raise UsageError(
            f"address {text!r}: expected HOST:PORT, [IPv6]:PORT, :PORT, the path of a Unix socket with a '/', "
            "or @NAME for an abstract one"
        )
    return (host[1:-1] if is_ipv6 else host or "127.0.0.1", int(port))


def _of_url(text: str) -> str:
    """Return what to write for a URL: its address, and its protocol if that is one that windsock reads."""
    scheme, _, rest = text.partition("://")
    place = rest.rpartition("@")[2].partition("/")[0].partition("?")[0]
    if not place:
        return f"the path alone, {rest}"
    name, is_secure = SCHEMES.get(scheme, (scheme, False))
    port = "" if re.search(r":\d+$", place) else f":{PORTS.get(scheme, 'PORT')}"
    protocol = f" --protocol {name}" if name in SHIPPED else ""
    return f"{place}{port}{protocol}{' --upstream-tls' if is_secure else ''}"


def size_or_word(text: str) -> str | int:
    """Return a size for digits, otherwise the word itself."""
    return int(text) if text.isdecimal() else text


def certificate_from(texts: list[str] | None) -> Any:
    """Return what `certificate=` takes: a word such as "expired", or a list of names or files; None for None."""
    if texts is not None and len(texts) == 1 and texts[0].isidentifier() and texts[0] != "localhost":
        return texts[0]
    return texts
