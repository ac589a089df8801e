"""The step that hands a connection on to another address."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.net.targets import Target, target_of
from windsock.scripts.actions import checked_data, made_of
from windsock.scripts.bodies import Body, parts_of
from windsock.scripts.bound_function import BoundFunction, bound_function
from windsock.scripts.conversation import Conversation
from windsock.scripts.repr import code_of
from windsock.scripts.step import Step
from windsock.scripts.template import Template

__all__ = ["Forward"]


@dataclass(frozen=True, slots=True, repr=False)
class Forward(Step):
    """Connect to an address, and pass on everything between there and the client, until both have ended.

    `address` is that of a stream server, or a function that returns one. `first`: what to send there before anything
    else. `timeout` limits the connecting.
    """

    method = "forward"
    is_for = "stream"
    is_for_bytes = True
    takes_timeout = True
    address: Any
    _: KW_ONLY
    first: bytes | Body | Template | BoundFunction = b""

    def _check(self) -> None:
        if callable(self.address):
            object.__setattr__(self, "address", bound_function(f"forward({code_of(self.address)})", self.address))
        elif not isinstance(self.address, BoundFunction):
            _stream_target(f"forward({self.address!r})", self.address)
        object.__setattr__(self, "first", checked_data("forward", self.first))

    def target(self, where: str, conversation: Conversation) -> Target:
        """Return where to connect to. Raises UsageError if a function returns no address, or if there is no host."""
        address = self.address
        if isinstance(address, BoundFunction):
            address = address.result(where, conversation)
        target = _stream_target(where, address).resolved()
        if target.is_datagram:
            raise UsageError(f"{where}: a datagram socket is bound at {address!r}; expected a stream server")
        return target

    def head(self, where: str, conversation: Conversation) -> bytes:
        """Return what is sent there before anything else."""
        first = self.first
        data = first if isinstance(first, bytes | Body) else made_of(where, first, conversation)
        return b"".join(parts_of(data))


def _stream_target(where: str, address: Any) -> Target:
    try:
        return target_of(address)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
