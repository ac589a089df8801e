"""What the parts of a relayed connection need of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from windsock.net.event_loop import EventLoop
from windsock.relay.scratch import Scratch

if TYPE_CHECKING:
    from windsock.faults.items import Attachment
    from windsock.relay.handshake_faults import HandshakeFaults

__all__ = ["Relay", "RelayEnd"]


class Relay(Protocol):
    """The connection, for its two ends and directions: see StreamRelay."""

    event_loop: EventLoop
    scratch: Scratch
    is_over: bool
    handshake_faults: HandshakeFaults | None
    on_look: Callable[[], None]

    def guarded(self, action: Callable[[], object]) -> None:
        """Call an action; an error of it ends the relay."""
        ...

    def note(self, words: str) -> None:
        """Report what came besides the bytes, or could not be passed on."""
        ...

    def lose(self, attached: Attachment | None) -> None:
        """Release what came with bytes that are not passed on, and report that."""
        ...

    def finish_if_done(self) -> None:
        """Close both ends if nothing more will be written either way."""
        ...

    def finish(self) -> None:
        """Close both ends normally."""
        ...

    def reset(self) -> None:
        """Reset both ends."""
        ...

    def broke(self, error: BaseException) -> None:
        """Report an error in a fault or in the relay, and reset the connection."""
        ...


class RelayEnd(Protocol):
    """One of the two ends, for the directions: see RelayEndpoint."""

    socket: Any
    has_ended: bool
    is_gone: bool

    def update(self) -> None:
        """Watch for the events that matter now."""
        ...

    def write(self, data: memoryview) -> int:
        """Write what can be written now; return the number of bytes."""
        ...

    def write_with(self, data: memoryview, attached: Attachment) -> int:
        """Write data with what came with its first byte; return the number of bytes."""
        ...

    def half_close(self) -> None:
        """Send the end of the stream."""
        ...

    def vanish(self, error: OSError) -> None:
        """Handle a reset by this end: reset the other one too."""
        ...
