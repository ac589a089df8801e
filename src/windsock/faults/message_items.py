"""Whole messages as the items that a fault sees, where its `match=` is a pattern of a protocol, on a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol as Interface

from windsock.faults.items import Data, Item, Tick
from windsock.faults.selector import Selector
from windsock.protocols.errors import FramingError
from windsock.protocols.message_pattern import MessagePattern

__all__ = ["MessageItems", "WaitingChain", "messages_for"]


class WaitingChain(Interface):
    """A chain, as far as items that wait concern it."""

    def waits(self, items: int, size: int) -> None:
        """Count items that start or stop waiting (negative numbers)."""
        ...


class MessageItems:
    """Cuts the data of one direction into messages. Data waits until its message is complete.

    What is no message passes as it arrives: bytes that the protocol refuses and all after them, what is left at an end,
    and data with descriptors or urgent marks, which stay with their byte.
    """

    __slots__ = ("_chain", "_data", "_is_lost", "_protocol", "_wanted", "is_message", "is_reply")

    def __init__(self, pattern: MessagePattern, chain: WaitingChain, *, is_reply: bool) -> None:
        self._protocol = pattern.protocol.begin()
        self._chain = chain
        self.is_reply: bool = is_reply
        self._data = bytearray()
        self._wanted = 1
        self._is_lost = False
        self.is_message: bool = False
        """Whether the item that was given last is a whole message."""

    def __bool__(self) -> bool:
        """Return whether data waits for the rest of its message."""
        return bool(self._data)

    def items(self, item: Item) -> Iterator[Item]:
        """Give the items that an item completes: messages, or the item itself."""
        if type(item) is Tick or (self._is_lost and not self._data):
            yield item
        elif type(item) is not Data or item.attached is not None or self._is_lost:
            yield from self.rest(item.at)
            yield item
        else:
            self._keep(item.data)
            while (size := self._size()) is not None:
                data = self._take(size)
                self._protocol.passed(data, is_reply=self.is_reply)
                self.is_message = True
                yield Data(item.at, data)
                self.is_message = False
            if self._is_lost:
                yield from self.rest(item.at)

    def rest(self, at: float) -> Iterator[Item]:
        """Give what waits, as it is."""
        if self._data:
            yield Data(at, self._take(len(self._data)))

    def _keep(self, data: bytes) -> None:
        self._data += data
        self._chain.waits(1, len(data))

    def _take(self, size: int) -> bytes:
        data = bytes(self._data[:size])
        del self._data[:size]
        self._wanted = 1
        self._chain.waits(-1, -size)
        return data

    def _size(self) -> int | None:
        """Return the size of the first message if all of it has come."""
        if len(self._data) < self._wanted:
            return None
        try:
            size = self._protocol.size_of(bytes(self._data), is_reply=self.is_reply)
        except FramingError:
            self._is_lost = True
            return None
        self._is_lost = (size or len(self._data)) > self._protocol.limit
        self._wanted = size or len(self._data) + 1
        return size if size is not None and size <= len(self._data) else None


def messages_for(selector: Selector, chain: WaitingChain, *, direction: str, is_stream: bool) -> MessageItems | None:
    """Return what cuts messages for the `match=` of a selector; None if it is no pattern of messages that way."""
    pattern, is_reply = selector.match, direction == "downstream"
    if not is_stream or not isinstance(pattern, MessagePattern) or pattern.is_reply not in (None, is_reply):
        return None
    return MessageItems(pattern, chain, is_reply=is_reply)
