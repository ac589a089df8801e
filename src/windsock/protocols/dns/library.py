"""dnspython: its modules, the names that it knows, and records of zone files."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError
from windsock.protocols.registry import library

__all__ = ["absolute", "checked_word", "dnspython", "record", "record_of"]


def dnspython(module: str) -> Any:
    """Return a module of dnspython. Raises UsageError if it is not installed."""
    return library(f"dns.{module}", "dns")


dnspython("message")  # if it is missing, that is an error before a server begins


def checked_word(module: str, call: str, word: Any) -> str:
    """Return the name of a type or an rcode in upper case. Raises UsageError if dnspython's module has no such name."""
    try:
        dnspython(module).from_text(word)
        return str(word).upper()
    except UsageError:
        raise
    except Exception as error:
        what = "an rcode, such as 'NXDOMAIN'" if module == "rcode" else "a type of records, such as 'MX'"
        raise UsageError(f"{call}: {word!r} is not known; expected the name of {what}") from error


def absolute(name: str) -> str:
    """Return a name with the dot of the root."""
    return f"{name.removesuffix('.')}."


def record_of(text: str) -> Any:
    """Return a record of a zone file. Its names are absolute, with a dot at their end or without."""
    name, ttl, rdclass, kind, data = text.split(" ", 4)
    root = dnspython("name").root
    return dnspython("rrset").from_text_list(name, int(ttl), rdclass, kind, [data], origin=root, relativize=False)


def record(name: str, ttl: int, data: str) -> str:
    """Return the text of a record of the class IN; `data` is its type and what it holds. Raises UsageError."""
    try:
        text: str = record_of(f"{absolute(name)} {ttl} IN {data}").to_text()
        return text
    except UsageError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"dns: {data!r} is no record ({reason}); expected an address, or a type and its data: 'MX 10 mail.example'"
        ) from error
