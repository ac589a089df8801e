"""Values that are sent: anything with `__bytes__`, and answers that depend on the message that they answer."""

from __future__ import annotations

from typing import ClassVar, SupportsBytes, TypeAlias

__all__ = ["MessageAnswer", "Sendable", "answer_in", "as_bytes", "message_in"]


class MessageAnswer:
    """A reply that depends on the request, such as on its id: `.reply(answer)` takes it. Subclass it.

    A frozen dataclass is best, with a `repr()` that is the code that makes it.
    """

    __slots__ = ()
    is_answer: ClassVar[bool] = True

    def __call__(self, message: bytes) -> bytes | SupportsBytes | None:
        """Return the reply to a message, or None for nothing. Must be overridden."""
        raise NotImplementedError

    def ends(self, message: bytes) -> bool:  # noqa: ARG002  # an override may need it
        """Return whether the connection is closed after the reply. May be overridden."""
        return False


Sendable: TypeAlias = bytes | SupportsBytes | MessageAnswer
"""What `.reply()` takes."""


def as_bytes(value: object) -> bytes | None:
    """Return bytes, or a value that says how it is encoded, as bytes; None for anything else, a path included."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if hasattr(value, "__bytes__") and not hasattr(value, "__fspath__") and not isinstance(value, type):
        return bytes(value)
    return None


def answer_in(value: object) -> object:
    """Return the answer of a value that is sent in another form in reply to some messages; or the value itself."""
    made = getattr(value, "as_answer", None)
    return value if made is None else made()


def message_in(value: object) -> object:
    """Return a value that is encoded by `__bytes__`, as messages of protocols are; None for bytes and anything else."""
    is_message = not isinstance(value, bytes | bytearray | memoryview) and as_bytes(value) is not None
    return value if is_message else None
