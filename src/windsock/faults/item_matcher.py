"""Matching of a selector's `match=` with the items of one direction. In a stream a match may begin in earlier items."""

from __future__ import annotations

import re

from windsock.faults.items import Data, Datagram, Item
from windsock.faults.selector import Selector

__all__ = ["ItemMatcher", "matcher_for"]

LONGEST_TAIL = 1024
"""The number of latest bytes in which a match of a regular expression may start."""


class ItemMatcher:
    """The end of the bytes so far, in which a match may begin."""

    __slots__ = ("_is_stream", "_tail", "_wanted")

    def __init__(self, selector: Selector, *, is_stream: bool) -> None:
        self._wanted = selector.match
        self._is_stream = is_stream
        self._tail = b""

    def matches(self, item: Item) -> bool:
        """Return whether a match ends in the item."""
        wanted = self._wanted
        data = item.data if isinstance(item, Data | Datagram) else b""
        if not isinstance(wanted, bytes | re.Pattern):
            return wanted is None or bool(wanted(data))
        before = self._tail if self._is_stream else b""
        whole = before + data
        if isinstance(wanted, bytes):
            self._tail = whole[len(whole) - len(wanted) + 1 :] if len(wanted) > 1 else b""
            return wanted in whole
        self._tail = whole[-LONGEST_TAIL:]
        return any(found.end() > len(before) or not found[0] for found in wanted.finditer(whole))


class NoMatch(ItemMatcher):
    """The matcher for messages that pass the other way: none matches."""

    __slots__ = ()

    def matches(self, item: Item) -> bool:  # noqa: ARG002  # as every matcher
        """Return False."""
        return False


def matcher_for(selector: Selector, *, is_stream: bool, direction: str) -> ItemMatcher | None:
    """Return a matcher for the `match=` of a selector; None if it has none."""
    if selector.match is None:
        return None
    goes = getattr(selector.match, "is_reply", None)  # of a pattern of a protocol
    is_other = goes is not None and goes is not (direction == "downstream")
    return (NoMatch if is_other else ItemMatcher)(selector, is_stream=is_stream)
