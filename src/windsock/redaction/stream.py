"""A stream with its secrets masked, however it is cut into pieces. Bounded in memory: it is read a little ahead."""

from __future__ import annotations

from collections.abc import Iterator

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
        self._secrets: list[Span] = []
        """Where the masks are in what is ready."""
        self._at = 0
        self._is_all_secret = False

    def take(self, size: int) -> bytes:
        """Return the next bytes. What is not there is masked, too."""
        return self.take_with_spans(size)[0]

    def take_with_spans(self, size: int) -> tuple[bytes, list[Span]]:
        """Return the next bytes, and where in them the masks are. What is not there is masked, too."""
        taken, found, missing = [], [], size
        while True:
            part, masks = self._from_ready(missing)
            found += [(first + size - missing, last + size - missing) for first, last in masks]
            taken.append(part)
            missing -= len(part)
            if not missing or not self._advance():
                break
        if missing:
            found.append((size - missing, size))
        return b"".join([*taken, mask_of(missing)]), found

    def _from_ready(self, size: int) -> tuple[bytes, list[Span]]:
        start, part = self._at, self._ready[self._at : self._at + size]
        self._at = end = start + len(part)
        masks = [(max(first, start) - start, min(last, end) - start) for first, last in self._secrets]
        return part, [each for each in masks if each[0] < each[1]]

    def _advance(self) -> bool:
        """Mask the next bytes; return whether there are any."""
        is_last = self._read()
        window = self._known + self._ahead
        limit = len(window) if is_last else len(window) - LONGEST
        start = len(self._known)
        try:
            masks = [] if self._is_all_secret else spans(window)
        except RuleFailed as failure:
            self._finish(window, limit, mask_of(limit - start, f"[withheld: {failure}]"), [(0, limit - start)])
            return limit > start
        for first, last in masks:
            if first < limit < last:
                self._is_all_secret |= last == len(window) and not is_last
                limit = max(limit, last)
        if self._is_all_secret:
            masks.append((max(start, masks[-1][0]) if masks else start, limit))
        masks = _within(masks, start, limit)
        self._finish(
            window, limit, _masked_part(window, masks, start, limit), [(a - start, b - start) for a, b in masks]
        )
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

    def _finish(self, window: bytes, limit: int, ready: bytes, secrets: list[Span]) -> None:
        self._ready, self._secrets, self._at = ready, secrets, 0
        self._known, self._ahead = window[max(0, limit - LONGEST) : limit], window[limit:]


def _within(masks: list[Span], start: int, limit: int) -> list[Span]:
    """Return what of the masks is from `start` to `limit`, without overlaps."""
    found, at = [], start
    for first, last in masks:
        first, last = max(first, at), min(last, limit)
        if first < last:
            found.append((first, last))
            at = last
    return found


def _masked_part(window: bytes, masks: list[Span], start: int, limit: int) -> bytes:
    """Return the bytes from `start` to `limit`, masked."""
    parts, at = [], start
    for first, last in masks:
        remember(window[first:last])
        parts += [window[at:first], mask_of(last - first)]
        at = last
    return b"".join([*parts, window[at:limit]])
