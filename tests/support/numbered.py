"""A protocol for tests: lines with an id, `7 text`, which the reply to a line repeats."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from windsock.protocols import DecodeError, MessageAnswer, MessagePattern, Protocol


@dataclass(frozen=True)
class Numbered:
    """A line with an id."""

    id: int
    text: str

    def __bytes__(self) -> bytes:
        return f"{self.id} {self.text}\n".encode()

    def __str__(self) -> str:
        return f"{self.text} ({self.id})"


class NumberedLines(Protocol):
    """Lines with an id; those of servers begin with "=" too."""

    name = "numbered"

    def size(self, data: bytes) -> int | None:
        if not data[:1].isdigit():
            raise DecodeError("a line begins with its id")
        return data.find(b"\n") + 1 or None

    def body(self, data: bytes) -> bytes:
        return data.rstrip(b"\n")

    def decode(self, data: bytes) -> Numbered:
        id, space, text = self.body(data).decode().partition(" ")
        if not space:
            raise DecodeError("a line has an id, a space and a text")
        return Numbered(int(id), text)

    def request_key(self, data: bytes) -> Hashable:
        return data.partition(b" ")[0]


@dataclass(frozen=True)
class Text(MessagePattern):
    """Matches lines with this text."""

    protocol = NumberedLines()
    text: str

    def matches(self, message: Numbered) -> bool:
        return message.text == self.text


@dataclass(frozen=True)
class Same(MessageAnswer):
    """Answers with this text, and the id of the request."""

    text: str

    def __call__(self, message: bytes) -> Numbered:
        return Numbered(NumberedLines().decode(message).id, self.text)


class Dictation(Protocol):
    """Lines; after `dictate`, if the server says `go`, a text up to a line with a dot: sizes depend on what passed."""

    def __init__(self) -> None:
        self.is_asked = self.is_text = False

    def begin(self) -> Dictation:
        return Dictation()

    def size(self, data: bytes) -> int | None:
        if self.is_text:
            return None if (end := data.find(b"\n.\n")) < 0 else end + 3
        return data.find(b"\n") + 1 or None

    def reply_size(self, data: bytes) -> int | None:
        return data.find(b"\n") + 1 or None

    def passed(self, data: bytes, *, is_reply: bool) -> None:
        if is_reply:
            self.is_text = self.is_asked and data == b"go\n"
        else:
            self.is_asked, self.is_text = data == b"dictate\n", False
