"""Notes on exceptions that leave the `with` of a server: conclusions, and transcripts."""

from __future__ import annotations

__all__ = ["FindingNote", "TranscriptNote"]


class FindingNote(str):
    """A sentence about the cause of the exception that it stands on."""

    __slots__ = ()


class TranscriptNote(str):
    """What a server recorded. A program with a better place for it can remove the note."""

    __slots__ = ()
