"""Notes on an exception of a test about all servers and proxies that it has used, which go on running."""

from __future__ import annotations

import contextlib
from typing import Any

from windsock.recording.notes import FindingNote
from windsock.recording.subject import living

__all__ = ["explain", "used_since"]


def used_since(time: float) -> list[Any]:
    """Return the servers and proxies that run and were started, or had a client, then or later (monotonic seconds)."""
    return [each for each in living() if each.is_running and each.was_active_since(time)]


def explain(error: Exception, began: float, *, part_began: float = 0.0, is_over: bool = True) -> None:
    """Note on the exception of a test that `began` then why it may have failed, and what was recorded.

    The servers do not raise the same again at their end. Unless the test `is_over`, a part of it has failed, as an
    earlier one had until `part_began`.
    """
    subjects = used_since(began)
    if not any(isinstance(each, FindingNote) for each in getattr(error, "__notes__", ())):
        with contextlib.suppress(Exception):  # nothing must take the place of the exception
            from windsock.findings import findings_for  # for failures alone

            for sentence in findings_for(subjects, error, since=part_began):
                error.add_note(FindingNote(f"windsock: {sentence}"))
    for each in subjects:
        each.note_on(error, is_over=is_over)
