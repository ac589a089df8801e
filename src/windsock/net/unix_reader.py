"""Reading a Unix stream with its descriptors, each with the byte that it came with."""

from __future__ import annotations

from typing import Any

from windsock.net.ancillary import (
    CLOEXEC,
    CUT,
    PEEK,
    ROOM,
    ROOM_FOR_CREDENTIALS,
    Credentials,
    Descriptors,
    ask_for_credentials,
    of_another,
    sorted_out,
)
from windsock.net.system import socket

__all__ = ["UnixReader"]


class UnixReader:
    """Reads a Unix stream so that the data of one call has descriptors with its first byte or not at all.

    A plain recvmsg(2) may also return bytes before that one. So each call looks first (MSG_PEEK, with no room for
    descriptors): MSG_CTRUNC means that there are some, and the data ends with the message that they came with.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._room = ROOM_FOR_CREDENTIALS if ask_for_credentials(sock) else 0
        self._next: tuple[bytes, Descriptors | None] | None = None
        self.descriptors: Descriptors | None = None
        """The descriptors that came with the bytes of the latest call, for its caller to take."""
        self.credentials: Credentials | None = None
        """The sender of the bytes, if it is another process."""
        self._told: list[Any] = []
        self.lost: bool = False
        """Whether descriptors were lost for lack of room (EMFILE)."""

    def recv_into(self, memory: memoryview) -> int:
        """See socket.socket."""
        if self._next is not None:
            return self._give_next(memory)
        size, ancillary, flags, _ = self._socket.recvmsg_into([memory], self._room, PEEK)
        if size and ancillary != self._told:  # the end of the stream has no sender
            self._told = ancillary
            self.credentials = of_another(sorted_out(ancillary)[1])
        if flags & CUT:
            return self._read_with_descriptors(memory[:size])
        return self._socket.recv_into(memory, size) if size else 0

    def _read_with_descriptors(self, memory: memoryview) -> int:
        start = 0
        descriptors = None
        while descriptors is None and start < len(memory):
            descriptors = self._read_one(memory[start : start + 1])
            start += 1
        first = start - 1
        end = start
        if descriptors is not None and start < len(memory):
            end += self._socket.recv_into(memory[start:])  # already received: the rest of the same message
        if descriptors is None or not first:
            self.descriptors = descriptors
            return end
        self._next = bytes(memory[first:end]), descriptors
        return first

    def _read_one(self, memory: memoryview) -> Descriptors | None:
        _, ancillary, flags, _ = self._socket.recvmsg_into([memory], ROOM, CLOEXEC)
        self.lost |= bool(flags & CUT)
        return sorted_out(ancillary)[0]

    def _give_next(self, memory: memoryview) -> int:
        assert self._next is not None
        data, descriptors = self._next
        piece = data[: len(memory)]
        memory[: len(piece)] = piece
        self._next = (data[len(piece) :], None) if len(piece) < len(data) else None
        self.descriptors = descriptors
        return len(piece)

    def has_more(self) -> bool:
        """Return whether the next call returns data that the kernel no longer holds."""
        return self._next is not None

    def close(self) -> None:
        """Close the descriptors that were not taken."""
        for each in (self.descriptors, self._next[1] if self._next is not None else None):
            if each is not None:
                each.close()
        self.descriptors = self._next = None
