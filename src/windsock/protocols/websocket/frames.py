"""Frames of WebSocket on the wire: sizes of messages, and their bytes as values. No I/O.

RFC 6455 is the standard; there are no extensions. A framing is asked for the size of a message of which a part has
come; wsproto and others keep the state of a connection instead, so this reads frames itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from windsock.protocols.errors import DecodeError
from windsock.protocols.websocket.messages import LARGEST_CONTROL, OPCODES, WebSocketMessage, masked_with

__all__ = ["is_frame", "message_in", "message_size"]

KINDS = {opcode: kind for kind, opcode in OPCODES.items()}
CONTINUED = 0
LAST, RESERVED, OPCODE, MASKED = 0x80, 0x70, 0x0F, 0x80


@dataclass(frozen=True, slots=True)
class WebSocketFrame:
    """A frame in data: its first byte, where its payload begins and ends, and its masking key."""

    first: int
    start: int
    end: int
    mask: bytes | None

    @property
    def opcode(self) -> int:
        """What it is."""
        return self.first & OPCODE

    @property
    def is_last(self) -> bool:
        """Whether it ends its message."""
        return bool(self.first & LAST)

    def payload(self, data: bytes) -> bytes:
        """Return its payload without the mask."""
        payload = data[self.start : self.end]
        return payload if self.mask is None else masked_with(self.mask, payload)


def is_frame(data: bytes) -> bool:
    """Return whether data begins with a frame, and not with a message of HTTP."""
    return data[0] not in b"\r\n" and (data[0] & RESERVED == 0 or data[0] >= LAST)


def message_size(data: bytes) -> int | None:
    """Return the size of the first message, with all of its frames and those between them, or None."""
    at = 0
    is_fragment = not data[0] & LAST and data[0] & OPCODE in (1, 2)
    while frame := _frame(data, at):
        if at and frame.opcode in (1, 2):
            return at  # the message before it is not finished, which decoding tells
        at = frame.end
        if not is_fragment or (frame.is_last and frame.opcode < 8):
            return at
    return None


def message_in(data: bytes) -> WebSocketMessage:
    """Return a whole message as a value, without the control frames between its own. Raises DecodeError."""
    frames = _frames(data)
    first = frames[0]
    for frame in frames:
        _check(frame, is_first=frame is first)
    own = [frame for frame in frames if frame is first or frame.opcode == CONTINUED]
    if not own[-1].is_last:
        raise DecodeError("the message is not finished: its last frame has no FIN", type="frame")
    payloads = [frame.payload(data) for frame in own]
    sizes = None if len(own) == 1 else tuple(map(len, payloads))
    message = WebSocketMessage(KINDS[first.opcode], b"".join(payloads), fragments=sizes, mask=first.mask)
    _check_data(message)
    return message


def _frame(data: bytes, at: int) -> WebSocketFrame | None:
    """Return the frame at an offset, or None if its head has not come. Raises DecodeError."""
    if len(data) < at + 2:
        return None
    short, start = data[at + 1] & 0x7F, at + 2
    width = {126: 2, 127: 8}.get(short, 0)
    has_mask = bool(data[at + 1] & MASKED)
    behind = start + width + (4 if has_mask else 0)
    if len(data) < behind:
        return None
    size = int.from_bytes(data[start : start + width], "big") if width else short
    if size >= 1 << 63:
        raise DecodeError(f"a frame of {size} bytes: the first bit of its length is set", offset=at, type="frame")
    return WebSocketFrame(data[at], behind, behind + size, data[behind - 4 : behind] if has_mask else None)


def _frames(data: bytes) -> list[WebSocketFrame]:
    found: list[WebSocketFrame] = []
    at = 0
    while at < len(data):
        frame = _frame(data, at)
        if frame is None or frame.end > len(data):
            raise DecodeError("a frame is not complete", offset=at, type="frame")
        found.append(frame)
        at = frame.end
    return found


def _check(frame: WebSocketFrame, *, is_first: bool) -> None:
    opcode, size = frame.opcode, frame.end - frame.start
    if frame.first & RESERVED:
        raise DecodeError(f"reserved bits are set in {frame.first:#04x}: there is no extension", type="frame")
    if opcode not in KINDS and opcode != CONTINUED:
        raise DecodeError(f"{opcode} is no opcode", type="frame")
    if is_first and opcode == CONTINUED:
        raise DecodeError("a continuation without a message before it", type="frame")
    if opcode >= 8 and (size > LARGEST_CONTROL or not frame.is_last):
        what = f"{size} bytes" if frame.is_last else "no FIN"
        raise DecodeError(f"a {KINDS[opcode]} with {what}; expected one frame of at most 125 bytes", type="frame")
    if not is_first and opcode in (1, 2):
        raise DecodeError(f"a {KINDS[opcode]} message within another one", type="frame")


def _check_data(message: WebSocketMessage) -> None:
    if message.kind == "close":
        if len(message.data) == 1:
            raise DecodeError("a close with 1 byte; expected a code of 2 bytes, and a reason", type="close")
        if message.code is not None and not _is_code(message.code):
            raise DecodeError(f"a close with the code {message.code}, which is not sent", type="close")
    if message.kind in ("text", "close"):
        try:
            message.data[2 if message.kind == "close" else 0 :].decode()
        except UnicodeDecodeError as error:
            raise DecodeError(f"the text is no UTF-8: {error}", type=message.kind, value=message.data) from None


def _is_code(code: int) -> bool:
    return 1000 <= code < 5000 and code not in (1004, 1005, 1006, 1015) and not 1016 <= code < 3000
