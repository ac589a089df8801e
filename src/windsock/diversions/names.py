"""The spelling of what is diverted: names, wildcards and IP addresses, with or without a port."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from windsock.errors import UsageError

__all__ = ["is_literal", "normal", "parse", "patterns_of"]

LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
PATTERN = re.compile(rf"(?:\*\.)?{LABEL}(?:\.{LABEL})*")
BRACKETED = re.compile(r"\[([^\]]*:[^\]]*)\](?::(.*))?", re.DOTALL)


def normal(host: str | bytes | bytearray) -> str:
    """Return the one spelling of a host: in lower case, IDNA, no final dot; an address in its shortest form.

    An IPv4 address in an IPv6 one (`::ffff:10.0.0.1`) is the IPv4 address. What cannot be a host stays as it is.
    """
    text = host if isinstance(host, str) else bytes(host).decode("latin-1")
    found = _address(text)
    return _name(text) if found is None else str(getattr(found, "ipv4_mapped", None) or found)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _name(text: str) -> str:
    if not text.isascii():
        try:
            text = text.encode("idna").decode("ascii")
        except UnicodeError:
            return text
    return text.lower().removesuffix(".")


def is_literal(host: str) -> bool:
    """Return whether a host is an IP address."""
    return _address(host) is not None


def patterns_of(host: str) -> Iterator[str]:
    """Yield the patterns that fit a host in its one spelling, the closest first: itself, then wildcards."""
    yield host
    if not is_literal(host):
        while "." in host:
            host = host.partition(".")[2]
            yield f"*.{host}"


def parse(key: object) -> tuple[str, int | None]:
    """Return the pattern and the port, None for every port, of a key such as "api.example:443" or "*.example".

    Raises UsageError for any other value.
    """
    if not isinstance(key, str):
        raise _unusable(key)
    host, port = _split(key)
    pattern = normal(host)
    if not (PATTERN.fullmatch(pattern) or is_literal(pattern)):
        raise _unusable(key)
    if port is None:
        return pattern, None
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise _unusable(key)
    return pattern, int(port)


def _split(key: str) -> tuple[str, str | None]:
    bracketed = BRACKETED.fullmatch(key)
    if bracketed:
        return bracketed[1], bracketed[2]
    if key.count(":") > 1:  # an IPv6 address
        return key, None
    host, colon, port = key.partition(":")
    return host, port if colon else None


def _unusable(key: object) -> UsageError:
    return UsageError(
        f"divert({{{key!r}: ...}}): expected a name, a wildcard or an IP address, or one with a port (1 to 65535): "
        '"api.example:443", "api.example", "*.example:443", "10.0.0.5:5432", "[2001:db8::5]:443"'
    )
