"""Where clients reach a program: its own address, or that of the proxy in front of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.recording.changes import Change, Changes

if TYPE_CHECKING:
    from windsock.faults import FaultHandle
    from windsock.programs.options import ProgramOptions
    from windsock.proxies.proxy import FaultProxy

__all__ = ["ProgramPlace"]


class ProgramPlace:
    """The address of a program, and the proxy in front of it, if a test wants faults."""

    def __init__(self, name: str, options: ProgramOptions, make_proxy: Callable[..., FaultProxy] | None = None) -> None:
        self.name = name
        self.options = options
        self._make_proxy = make_proxy or _proxy
        self._faulty: FaultProxy | None = None
        self._changes = Changes()

    @property
    def changes(self) -> tuple[Change, ...]:
        """What happened to it as a whole, such as `pause()` and an outage."""
        return tuple(self._changes)

    @property
    def address(self) -> Any:
        """What clients connect to: (host, port), or the path of a Unix socket. With faults, the proxy in front."""
        return self.direct_address if self._faulty is None else self._faulty.address

    @property
    def direct_address(self) -> Any:
        """The program's own address, also with a proxy in front. Must be overridden."""
        raise NotImplementedError

    @property
    def host(self) -> str:
        """The host of `address`."""
        return str(self._ip_address()[0])

    @property
    def port(self) -> int:
        """The port of `address`."""
        return int(self._ip_address()[1])

    @property
    def client_transport(self) -> str | None:
        """The transport that clients need to be told: "udp", or None where the address says it."""
        return self.options.client_transport

    @property
    def proxy(self) -> FaultProxy:
        """The proxy in front of it, made on first use; from then on `address` is the proxy's."""
        if self._faulty is None:
            self._faulty = self._make_proxy(
                self.direct_address,
                transport=self.client_transport,
                name=f"proxy of {self.name}",
                framing=self.options.framing,
            )
        return self._faulty

    def remove_proxy(self) -> None:
        """Finish the proxy in front of it, if there is one: `address` is its own again. Raises what `finish()` does."""
        __tracebackhide__ = True  # pytest leaves such frames out
        faulty = self._taken_proxy()
        if faulty is not None:
            faulty.finish()

    def fault(self, fault: Any, **keywords: Any) -> FaultHandle:
        """Install a fault in a proxy in front of it; `address` is the proxy's from then on. See `FaultProxy.fault`."""
        handle: FaultHandle = self.proxy.fault(fault, **keywords)
        return handle

    def _taken_proxy(self) -> FaultProxy | None:
        """Return the proxy in front of it, which it no longer has."""
        faulty, self._faulty = self._faulty, None
        return faulty

    def _ip_address(self) -> tuple[str, int]:
        if not isinstance(self.address, tuple):
            raise UsageError(f"{self.name} is at a path, {self.address!r}: expected an address with a port")
        return self.address[0], self.address[1]


def _proxy(address: Any, **options: Any) -> FaultProxy:
    from windsock.proxies.proxy import FaultProxy

    return FaultProxy(address, **options)
