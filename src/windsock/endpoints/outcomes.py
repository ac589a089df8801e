"""Outcomes of an endpoint, in the same words on every version of Python, whatever the errno or the exception."""

from __future__ import annotations

import enum
import errno
import sys

from windsock.security.alerts import alert_of

__all__ = ["Outcome", "is_only_later", "is_own_timeout", "outcome_of", "says_nothing"]


class Outcome(enum.StrEnum):
    """What became of one endpoint, in one word."""

    OPEN = "open"
    EOF = "eof"
    """The other end has ended what it sends, in order."""
    RESET = "reset"
    """The other end has reset the connection, or was gone when something was sent to it."""
    CLOSED = "closed"
    """This end has closed or reset it, before anything else had happened to it."""
    TIMEOUT = "timeout"
    """The other end did not do in time what a script said."""
    REFUSED = "refused"
    """Nothing listens at the address."""
    UNREACHABLE = "unreachable"
    """There is no such place, or no way to it."""
    TLS_ALERT = "TLS alert"
    """The other end has ended TLS and said why: "TLS alert: unknown ca" (RFC 8446, section 6)."""
    TLS_FAILED = "TLS failed"
    """This end saw something in TLS that it can't accept: "TLS failed: certificate has expired"."""


BY_ERRNO = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ENOENT: Outcome.REFUSED,
    errno.EHOSTUNREACH: Outcome.UNREACHABLE,
    errno.ENETUNREACH: Outcome.UNREACHABLE,
    errno.EADDRNOTAVAIL: Outcome.UNREACHABLE,
    errno.ETIMEDOUT: Outcome.TIMEOUT,
}
RAGGED = ("SSLEOFError", "SSLZeroReturnError")
"""Errors of TLS that say no more than that the stream below has ended."""


def outcome_of(error: BaseException) -> str:
    """Return the word for what an error says about the connection."""
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
    """Return whether the same call can succeed later: nothing has happened to the connection."""
    return isinstance(error, BlockingIOError) or type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")


def is_own_timeout(error: OSError) -> bool:
    """Return whether Python's own deadline has passed: the kernel's word on a connection (ETIMEDOUT) has a number."""
    return isinstance(error, TimeoutError) and not error.errno


def says_nothing(error: OSError) -> bool:
    """Return whether an error only says that nothing has come, or gone, by now."""
    return is_only_later(error) or is_own_timeout(error)
