"""Types of what the factory fixtures return, for type hints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from windsock import RunningServer, ScriptedClient
    from windsock.proxies.proxy import FaultProxy

__all__ = ["Connect", "Proxies", "Serve"]


class Serve(Protocol):
    """The factory that the fixture `serve` gives: takes what `windsock.serving()` takes."""

    def __call__(self, first: Any = None, second: Any = None, /, **options: Any) -> RunningServer:
        """Start a server that runs until the test ends."""
        ...


class Connect(Protocol):
    """The factory that the fixture `scripted_client` gives: takes what `windsock.scripted_client()` takes."""

    def __call__(self, address: Any, **options: Any) -> ScriptedClient:
        """Connect; the client is closed when the test ends."""
        ...


class Proxies(Protocol):
    """The factory that the fixture `fault_proxy` gives: takes what `windsock.proxy()` takes."""

    def __call__(self, address: Any, **options: Any) -> FaultProxy:
        """Start a proxy in front of an address; it is stopped when the test ends."""
        ...
