"""Replies kept for calls that come again: what was called once is done once (RFC 5531, section 4)."""

from __future__ import annotations

import collections
import pickle
from collections.abc import Hashable
from typing import Any

from windsock.net.files import nameless_file
from windsock.net.system import os, threading
from windsock.protocols.rpc_messages import Call

__all__ = ["DuplicateCache", "key_of"]

HEADER = 4
"""The bytes of a length in the file that children write to."""


def key_of(call: Call, client_address: Any) -> Hashable:
    """Return what a call and its retransmissions have in common. Clients begin with equal xids: not the xid alone."""
    return client_address, call.xid, call.program, call.version, call.procedure


class DuplicateCache:
    """The latest `size` calls, each with its reply or with None, while it is being answered. Thread-safe.

    Forked children put their replies into a nameless file that the parent reads, if `for_children`.
    """

    def __init__(self, size: int, *, for_children: bool) -> None:
        self._size = size
        self._replies: collections.OrderedDict[Hashable, bytes | None] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._process_id = os.getpid()
        self._file = nameless_file("replies that forked children share", is_large=True) if for_children else -1
        self._read = 0

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def begin(self, key: Hashable) -> tuple[bool, bytes | None]:
        """Return whether the call is new, and else the reply it got, or None while it is being answered."""
        with self._lock:
            self._collect()
            if key in self._replies:
                return False, self._replies[key]
            self._replies[key] = None
            if len(self._replies) > self._size:
                self._replies.popitem(last=False)
            return True, None

    def keep(self, key: Hashable, reply: bytes) -> None:
        """Keep the reply to a call; in a child, for the parent."""
        if os.getpid() != self._process_id:
            self._tell(key, reply)
            return
        with self._lock:
            self._put(key, reply)

    def _put(self, key: Hashable, reply: bytes) -> None:
        if key in self._replies:
            self._replies[key] = reply

    def _tell(self, key: Hashable, reply: bytes) -> None:
        record = pickle.dumps((key, reply))
        if self._file >= 0:
            os.write(self._file, len(record).to_bytes(HEADER, "big") + record)  # in one call: others write too

    def _collect(self) -> None:
        """Take what children have written since the last time."""
        while self._file >= 0:
            header = os.pread(self._file, HEADER, self._read)
            size = int.from_bytes(header, "big")
            record = os.pread(self._file, size, self._read + HEADER)
            if len(header) < HEADER or len(record) < size:
                return
            self._read += HEADER + size
            self._put(*pickle.loads(record))
