"""What one peer has taken from the other end so far, for the functions that say what it sends. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from windsock.errors import UsageError
from windsock.net import addresses
from windsock.protocols.protocol import Protocol

__all__ = ["Conversation"]


class Conversation:
    """The state of one conversation, as seen by one peer.

    `index`: the connection's index in `server.connections`; None for a client. `message`: what it has taken last: a
    whole message with framing, or the bytes that met a step or a rule; b"" for a run that was not kept. `protocol` is
    what the message is of, if anything: the server's, or that of the pattern which it has met. `kept` is a dict for
    what functions keep of this conversation.
    """

    __slots__ = (
        "_found",
        "_groups",
        "_is_reply",
        "_peer",
        "_searched",
        "_sock",
        "index",
        "kept",
        "message",
        "protocol",
    )

    def __init__(
        self, sock: Any = None, *, index: int | None = None, peer: Any = None, protocol: Protocol | None = None
    ) -> None:
        self.message: bytes = b""
        self.protocol = protocol
        self._is_reply = False
        self.kept: dict[str, Any] = {}
        self._groups: dict[str, bytes] = {}
        self._searched: tuple[re.Pattern[bytes], bytes] | None = None
        self._found: re.Match[bytes] | None = None
        self.begin(sock, index=index, peer=peer)

    def begin(self, sock: Any, *, index: int | None = None, peer: Any = None) -> None:
        """Set where it takes place; `peer` for a socket that has no other end of its own."""
        self.index: int | None = index
        self._sock = sock
        self._peer = peer

    def __repr__(self) -> str:
        return f"<Conversation of connection {self.index}, groups {self._groups!r}>"

    @property
    def value(self) -> Any:
        """The message as a value of its protocol, as `requests[0].message` is one.

        Raises DecodeError for a malformed message, UsageError for one of no protocol.
        """
        if self.protocol is None:
            raise UsageError(
                "value: the message is of no protocol; pass framing='http' or another, or match a pattern of one"
            )
        return self.protocol.decoded(self.message, is_reply=self._is_reply)

    @property
    def match(self) -> re.Match[bytes] | None:
        """The latest match of a regular expression; None if there was none."""
        if self._found is None and self._searched is not None:
            pattern, message = self._searched
            self._found = pattern.fullmatch(message) or pattern.search(message)
        return self._found

    @property
    def groups(self) -> dict[str, bytes]:
        """The named groups of all regular expressions that have matched; the latest value of each."""
        return dict(self._groups)

    @property
    def peer(self) -> Any:
        """The address of the other end; None if it has none, or is gone."""
        return _name(self._sock, "getpeername") if self._peer is None else addresses.plain(self._peer)

    @property
    def local(self) -> Any:
        """The address of this end; None if it has none, or is closed."""
        return _name(self._sock, "getsockname")

    def understood(self, protocol: Protocol, *, is_reply: bool) -> None:
        """Note that the message has met a pattern of a protocol."""
        self.protocol = protocol
        self._is_reply = is_reply

    def matched(self, pattern: re.Pattern[bytes], message: bytes) -> None:
        """Note that a message has matched. A match without named groups is made only when it is asked for."""
        self._searched = pattern, message
        self._found = None
        if pattern.groupindex and (found := self.match) is not None:
            self._groups.update((name, data) for name, data in found.groupdict().items() if data is not None)


def _name(sock: Any, method: str) -> Any:
    """Return an address of a socket; None if it has none, or is closed."""
    call: Callable[[], Any] | None = getattr(sock, method, None)
    try:
        return None if call is None else addresses.plain(call())
    except OSError:
        return None
