"""Types of the factory fixtures, for type hints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, Unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from windsock import CassetteRecorder, Diversion, RealServer, Replay, RunningServer, ScriptedClient
    from windsock.clients.connect_options import AddressKeywords
    from windsock.diversions.diversion import Divertible, Others
    from windsock.options.server_options import Handler, ServerKeywords
    from windsock.programs.keywords import ProgramKeywords, Recipe, Words
    from windsock.proxies.proxy import FaultProxy

    class ServeKeywords(ServerKeywords, total=False):
        """The keywords of the factory of the fixture `serve`."""

        server_class: type[Any] | None
        handler: Handler | None

    Missing = Literal["fail", "skip"]
    """What to do with a test whose program is not installed."""


__all__ = ["Cassettes", "Connect", "Divert", "Proxies", "RealServers", "Serve"]


class Serve(Protocol):
    """The factory of the fixture `serve`, with the arguments of `windsock.serving()`."""

    def __call__(
        self,
        server_class_or_handler: type[Any] | Handler | None = None,
        handler: Handler | None = None,
        /,
        **options: Unpack[ServeKeywords],
    ) -> RunningServer:
        """Start a server that runs until the test ends."""
        ...


class Connect(Protocol):
    """The factory of the fixture `scripted_client`, with the arguments of `windsock.scripted_client()`."""

    def __call__(
        self, address: Any, *, handshake: bool = ..., name: str = ..., **options: Unpack[AddressKeywords]
    ) -> ScriptedClient:
        """Connect; the client is closed when the test ends."""
        ...


class Proxies(Protocol):
    """The factory of the fixture `fault_proxy`, with the arguments of `windsock.proxy()`."""

    def __call__(self, address: Any, **options: Any) -> FaultProxy:
        """Start a proxy in front of an address; it is stopped when the test ends."""
        ...


class Cassettes(Protocol):
    """The factory of the fixture `cassette`."""

    def __call__(
        self,
        address: Any,
        *,
        file: str | None = None,
        framing: Any = None,
        redact: Any = None,
        recording: Mapping[str, Any] | None = None,
        **replaying: Any,
    ) -> Replay | CassetteRecorder | FaultProxy:
        """Return a server to talk to at its `address`: a replay of the test's cassette, or a recorder of one.

        `address` is the real server's, or a function without arguments that returns it, which is called only where
        the real server is needed. `file` is the name of the cassette in the directory `cassettes` beside the test's
        file; it is the test's name by default, or the marker's `cassette=`. `framing` and `redact` are those of
        `windsock.record()`, and for the replay too; `recording` has more of its keywords, such as `transport`;
        `replaying` are keywords of `windsock.replay()`. It is stopped when the test ends.
        """
        ...


class Divert(Protocol):
    """The factory of the fixture `divert`, with the arguments of `windsock.divert()`."""

    def __call__(self, names: Mapping[str, Divertible], *, others: Others = ..., strict: bool = ...) -> Diversion:
        """Divert connections to these names until the test ends."""
        ...


class RealServers(Protocol):
    """The factory of the fixture `real_server`, with the arguments of `windsock.real_server()`."""

    def __call__(
        self, command: Words | Recipe, /, *, missing: Missing = ..., **options: Unpack[ProgramKeywords]
    ) -> RealServer:
        """Start a real program that runs until the test ends.

        With `missing="skip"` the test is skipped if the program is not installed, unless the environment variable
        WINDSOCK_REQUIRE_PROGRAMS is 1.
        """
        ...
