"""Outcomes of an endpoint, in the same words on every version of Python, whatever the errno or the exception."""

from __future__ import annotations

import enum
import errno
import sys

from windsock.security.alerts import alert_of

__all__ = ["Outcome", "is_only_later", "is_own_timeout", "outcome_of", "says_nothing"]


class Outcome(enum.StrEnum):
    """The ending of one endpoint, in one word."""

    OPEN = "open"
    EOF = "eof"
    """The other end has ended its stream normally."""
    RESET = "reset"
    """The other end has reset the connection, or was gone when data was sent to it."""
    CLOSED = "closed"
    """This end has closed or reset the connection, before anything else ended it."""
    TIMEOUT = "timeout"
    """The other end was slower than a script allowed."""
    REFUSED = "refused"
    """Nothing listens at the address."""
    UNREACHABLE = "unreachable"
    """There is no such address, or no route to it."""
    TLS_ALERT = "TLS alert"
    """The other end has ended TLS with an alert: "TLS alert: unknown ca" (RFC 8446, section 6)."""
    TLS_FAILED = "TLS failed"
    """This end cannot accept something in TLS: "TLS failed: certificate has expired"."""


BY_ERRNO = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ENOENT: Outcome.REFUSED,
    errno.EHOSTUNREACH: Outcome.UNREACHABLE,
    errno.ENETUNREACH: Outcome.UNREACHABLE,
    errno.EADDRNOTAVAIL: Outcome.UNREACHABLE,
    errno.ETIMEDOUT: Outcome.TIMEOUT,
}
RAGGED = ("SSLEOFError", "SSLZeroReturnError")
"""Errors of TLS that mean only that the stream below has ended."""


def outcome_of(error: BaseException) -> str:
    """Return the outcome that an error means."""
    if "ssl" in sys.modules and isinstance(error, sys.modules["ssl"].SSLError):
        return _of_tls(error)
    if isinstance(error, TimeoutError):
        return Outcome.TIMEOUT
    return BY_ERRNO.get(getattr(error, "errno", None) or 0, Outcome.RESET)


def _of_tls(error: BaseException) -> str:
    reason = str(getattr(error, "reason", None) or "")
    if type(error).__name__ in RAGGED or "UNEXPECTED_EOF" in reason:
        return Outcome.EOF
    words = reason.replace("_", " ").lower()
    alert = alert_of(error)
    if alert is not None:
        return f"{Outcome.TLS_ALERT}: {alert.replace('_', ' ')}"
    why = str(getattr(error, "verify_message", "")) or words or "error"
    return f"{Outcome.TLS_FAILED}: {why}"


def is_only_later(error: OSError) -> bool:
    """Return whether the same call may succeed later: nothing has happened to the connection."""
    return isinstance(error, BlockingIOError) or type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")


def is_own_timeout(error: OSError) -> bool:
    """Return whether Python's own deadline has passed. ETIMEDOUT from the kernel has an errno, and is different."""
    return isinstance(error, TimeoutError) and not error.errno


def says_nothing(error: OSError) -> bool:
    """Return whether an error means only that no data has come, or was sent, by now."""
    return is_only_later(error) or is_own_timeout(error)
