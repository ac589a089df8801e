"""The parts of a send, and when each is due. No I/O."""

from __future__ import annotations

from operator import length_hint

from windsock.scripts.actions import Send
from windsock.scripts.conversation import Conversation
from windsock.scripts.messages import count_of

__all__ = ["Sending"]


class Sending:
    """A send in progress. Raises what the functions and generators of its test raise."""

    def __init__(self, step: Send, where: str, conversation: Conversation, now: float) -> None:
        self._where = where
        self._every = step.every
        self._parts = step.parts(where, conversation)
        self.due_at: float = now
        """When the next part is due, in monotonic seconds."""

    @property
    def left(self) -> int:
        """The number of parts to send; -1 if that is not known, as with a generator."""
        return length_hint(self._parts, -1)

    def rest_in_words(self) -> str:
        """Return how much is left to send."""
        left = self.left
        if left < 0:
            return "there is more to send"
        return f"{count_of(left, 'piece')} {'is' if left == 1 else 'are'} left to send"

    def take(self, now: float) -> bytes | None:
        """Return the next part; None if there is none."""
        try:
            data = next(self._parts, None)
        except Exception as error:
            error.add_note(f"raised while {self._where} was sent")
            raise
        self.due_at = max(self.due_at + self._every, now)
        return data
