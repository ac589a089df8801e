"""A stream with its secrets masked, however it is cut into pieces. Bounded in memory: it is read a little ahead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from windsock.redaction.redactor import mask_of, remember, spans
from windsock.redaction.rules import RuleFailed, Span

__all__ = ["LONGEST", "MaskedStream"]

LONGEST = 32 * 1024
"""Bytes of the longest match that is found wherever it is cut, with what shows that it is a secret."""
STEP = 8 * LONGEST
"""Bytes that are looked at in one go, besides those that may belong to a match which is not whole yet."""


class MaskedStream:
    """Gives the bytes of one direction of a connection, masked, in pieces of any size.

    After a secret that does not end within `LONGEST` bytes, all that follows is masked.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._known = b""
        """The end of what is masked already: what comes may be secret because of it."""
        self._ahead = b""
        self._ready = b""
        self._at = 0
        self._is_all_secret = False

    def take(self, size: int) -> bytes:
        """Return the next bytes. What is not there is masked, too."""
        part = self._from_ready(size)
        if len(part) == size:
            return part
        taken, missing = [part], size - len(part)
        while missing and self._advance():
            taken.append(self._from_ready(missing))
            missing -= len(taken[-1])
        return b"".join([*taken, mask_of(missing)])

    def _from_ready(self, size: int) -> bytes:
        part = self._ready[self._at : self._at + size]
        self._at += len(part)
        return part

    def _advance(self) -> bool:
        """Mask the next bytes; return whether there are any."""
        is_last = self._read()
        window = self._known + self._ahead
        limit = len(window) if is_last else len(window) - LONGEST
        start = len(self._known)
        try:
            masks = [] if self._is_all_secret else spans(window)
        except RuleFailed as failure:
            self._finish(window, limit, mask_of(limit - start, f"[withheld: {failure}]"))
            return limit > start
        for first, last in masks:
            if first < limit < last:
                self._is_all_secret |= last == len(window) and not is_last
                limit = max(limit, last)
        if self._is_all_secret:
            masks.append((max(start, masks[-1][0]) if masks else start, limit))
        self._finish(window, limit, _masked_part(window, masks, start, limit))
        return limit > start

    def _read(self) -> bool:
        """Read ahead; return whether the stream has ended."""
        parts, size = [self._ahead], len(self._ahead)
        while size < STEP + LONGEST:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            size += len(piece)
        self._ahead = b"".join(parts)
        return size < STEP + LONGEST

    def _finish(self, window: bytes, limit: int, ready: bytes) -> None:
        self._ready, self._at = ready, 0
        self._known, self._ahead = window[max(0, limit - LONGEST) : limit], window[limit:]


def _masked_part(window: bytes, masks: list[Span], start: int, limit: int) -> bytes:
    """Return the bytes from `start` to `limit`, masked."""
    parts, at = [], start
    for first, last in masks:
        first, last = max(first, at), min(last, limit)  # what of it is in this part
        if first < last:
            remember(window[first:last])
            parts += [window[at:first], mask_of(last - first)]
            at = last
    return b"".join(chain(parts, [window[at:limit]]))
