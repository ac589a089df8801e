"""Conclusions about an exception that leaves the `with` of a server or a proxy."""

from __future__ import annotations

import contextlib

from windsock.recording.subject import Subject, living

__all__ = ["conclude"]


def conclude(error: BaseException) -> list[str]:
    """Return at most three sentences about the cause of an exception, from all servers and proxies that run now."""
    with contextlib.suppress(Exception):  # nothing must take the place of the exception
        from windsock.findings import findings_for  # for failures alone

        return findings_for([each for each in living() if each.is_running], error)
    return []


Subject.conclude = staticmethod(conclude)
