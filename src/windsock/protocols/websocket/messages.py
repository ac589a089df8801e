"""Messages of WebSocket as values: text, binary data, pings, pongs and closes, and their encoding as frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from windsock.errors import UsageError

__all__ = ["KEY", "OPCODES", "WebSocketMessage", "encoded_frame", "masked_with"]

OPCODES = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
LARGEST_CONTROL = 125
"""The most bytes of a close, a ping or a pong."""
KEY = b"mask"
"""The masking key of frames that tests send as a client: the same in each run."""
SHOWN = 40


@dataclass(frozen=True, slots=True, init=False, repr=False)
class WebSocketMessage:
    """A message: `kind` is "text", "binary", "ping", "pong" or "close", `data` its bytes without frames and mask.

    `fragments` are the sizes in bytes of its frames, None of a message in one frame. `mask` is the key of its first
    frame, None without one; each frame of a client must have one.
    """

    kind: str
    data: bytes
    fragments: tuple[int, ...] | None
    mask: bytes | None

    def __init__(
        self, kind: str, data: bytes = b"", *, fragments: Iterable[int] | None = None, mask: bytes | None = None
    ) -> None:
        sizes = None if fragments is None else tuple(fragments)
        if kind not in OPCODES:
            raise UsageError(f"WebSocketMessage({kind!r}): expected {', '.join(map(repr, OPCODES))}")
        if OPCODES[kind] >= 8 and (sizes is not None or len(data) > LARGEST_CONTROL):
            raise UsageError(f"websocket.{kind}(): at most {LARGEST_CONTROL} bytes in one frame; got {len(data)}")
        if sizes is not None and (not sizes or sum(sizes) != len(data)):
            raise UsageError(f"websocket.{kind}(fragments={list(sizes)}): expected sizes of all {len(data)} bytes")
        if mask is not None and len(mask) != 4:
            raise UsageError(f"websocket.{kind}(): mask={mask!r}; expected a key of 4 bytes")
        for name, value in (("kind", kind), ("data", data), ("fragments", sizes), ("mask", mask)):
            object.__setattr__(self, name, value)

    @property
    def text(self) -> str:
        """The data as text: that of a text message, or the reason of a close."""
        return (self.data[2:] if self.kind == "close" else self.data).decode("utf-8", "replace")

    @property
    def code(self) -> int | None:
        """The code of a close; None without one."""
        return int.from_bytes(self.data[:2], "big") if self.kind == "close" and self.data else None

    def masked(self, key: bytes = KEY) -> WebSocketMessage:
        """Return the message as clients send it: masked with a key of 4 bytes."""
        return WebSocketMessage(self.kind, self.data, fragments=self.fragments, mask=key)

    def __bytes__(self) -> bytes:
        frames, at, opcode = [], 0, OPCODES[self.kind]
        sizes = (len(self.data),) if self.fragments is None else self.fragments
        for number, size in enumerate(sizes, 1):
            data = self.data[at : at + size]
            frames.append(encoded_frame(opcode, data, is_last=number == len(sizes), mask=self.mask))
            at, opcode = at + size, 0
        return b"".join(frames)

    def __str__(self) -> str:
        if self.kind == "close":
            return " ".join(["close", *[str(each) for each in (self.code, self.text) if each]])
        if self.kind == "binary" or len(self.data) > SHOWN:
            start = f" {self.text[:SHOWN]!r}..." if self.kind == "text" else ""
            return f"{self.kind}{start} ({len(self.data)} B)"
        return f"{self.kind} {self.text!r}" if self.kind == "text" else f"{self.kind} {self.data!r}"

    def __repr__(self) -> str:
        more = "" if self.fragments is None else f", fragments={self.fragments!r}"
        more += "" if self.mask is None else f", mask={self.mask!r}"
        return f"websocket.WebSocketMessage({self.kind!r}, {self.data!r}{more})"


def encoded_frame(opcode: int, data: bytes, *, is_last: bool, mask: bytes | None) -> bytes:
    """Return one frame."""
    size, bit = len(data), 0 if mask is None else 0x80
    if size < 126:
        length = bytes([bit | size])
    elif size < 1 << 16:
        length = bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([bit | 127]) + size.to_bytes(8, "big")
    start = bytes([(0x80 if is_last else 0) | opcode]) + length
    return start + data if mask is None else start + mask + masked_with(mask, data)


def masked_with(mask: bytes, data: bytes) -> bytes:
    """Return data masked, or masked data in the clear."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
