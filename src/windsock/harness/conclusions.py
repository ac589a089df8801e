"""Conclusions about an exception that leaves the `with` of a server or a proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from windsock.recording.subject import Subject

__all__ = ["conclude"]


def conclude(subjects: Sequence[Subject], error: BaseException) -> list[str]:
    """Return at most three sentences about the cause of an exception; none if they cannot be made."""
    with contextlib.suppress(Exception):  # nothing must take the place of the exception
        from windsock.findings import findings_for  # for failures alone

        return findings_for(subjects, error)
    return []


Subject.conclude = staticmethod(conclude)
