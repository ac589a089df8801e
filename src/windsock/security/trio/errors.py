"""The causes of the exceptions of trio's streams."""

from __future__ import annotations

__all__ = ["cause_of"]


def cause_of(error: BaseException) -> OSError | None:
    """Return the OSError of the kernel or OpenSSL that caused an exception, or None."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, OSError):
        found = found.__cause__
    return found
