"""The options of one server in a test, and their checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from windsock.errors import UsageError
from windsock.faults import options as fault_options
from windsock.net import addresses
from windsock.net.system import os
from windsock.net.targets import Unit
from windsock.options.class_checks import check_class, check_handler, check_suits_records, check_units, constructor_of
from windsock.options.combinations import check_platform, class_for, concurrency_of, transport_of
from windsock.options.combine import class_with
from windsock.options.group_option import group_from
from windsock.options.tls_options import Encryption, class_with_tls, encryption_from
from windsock.recording import Framing, default_framing, framing_from
from windsock.redaction import rules_from
from windsock.scripts.checks import check_seconds
from windsock.servers.async_handlers import is_async

if TYPE_CHECKING:
    import ssl

    from windsock.security.certificate_choice import Certificate

__all__ = ["Handler", "Options", "ServerKeywords", "SharedKeywords"]

Handler: TypeAlias = type | Callable[..., object]
"""A request handler class, or a function of request, client_address and server."""

NONE = type(None)
TYPES: dict[str, tuple[type, ...]] = {
    "host": (str, NONE),
    "port": (int,),
    "path": (str, os.PathLike, NONE),
    "backlog": (int,),
    "strict": (bool,),
    "allow_unused": (bool,),
    "allow_external": (bool,),
    "name": (str, NONE),
    "relay": (bool,),
    "accept": (bool,),
    "broadcast": (bool,),
}
WORDS = {
    str: "text",
    int: "a whole number",
    bool: "True or False",
    os.PathLike: "a path",
    NONE: "None",
}


class SharedKeywords(TypedDict, total=False):
    """The keywords of `serving()` that `serving_pair()` has too, for both its servers."""

    concurrency: str | None
    mixins: Sequence[type[Any]]
    framing: Any
    host: str | None
    port: int
    backlog: int
    strict: bool
    allow_unused: bool
    accept: bool
    timeout: float
    allow_external: bool
    name: str | None
    faults: Sequence[Any]
    relay: bool
    seed: int | None
    redact: Any


class ServerKeywords(SharedKeywords, total=False):
    """The keywords of `serving()`, of the fixture `serve` and of the marker; their defaults are in Options."""

    transport: str | None
    path: str | os.PathLike[str] | None
    tls: bool | str | ssl.SSLContext | None
    certificate: Certificate | Mapping[str, Certificate]
    key_type: str | None
    alpn: Sequence[str] | None
    minimum_version: str | ssl.TLSVersion | None
    maximum_version: str | ssl.TLSVersion | None
    ciphers: str | None
    multicast: str | None
    broadcast: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The values of ServerKeywords, and the classes. `timeout` is in seconds. `resolved()` checks them."""

    server_class: type[Any] | None = None
    handler: Handler | None = None
    transport: str | None = None
    concurrency: str | None = None
    mixins: Sequence[type[Any]] = ()
    framing: Any = None
    host: str | None = None
    port: int = 0
    path: str | os.PathLike[str] | None = None
    backlog: int = 128
    strict: bool = True
    allow_unused: bool = False
    accept: bool = False
    timeout: float = 5.0
    allow_external: bool = False
    name: str | None = None
    tls: Any = None
    certificate: Any = None
    key_type: str | None = None
    alpn: Sequence[str] | None = None
    minimum_version: Any = None
    maximum_version: Any = None
    ciphers: str | None = None
    faults: Any = None
    relay: bool = False
    seed: int | None = None
    redact: Any = None
    multicast: str | None = None
    broadcast: bool = False

    def resolved(self) -> Resolved:
        """Return the options with every default filled in.

        Raises UsageError, which names the value and the way out; Unsupported if the platform can't.
        """
        server_class = self._class()
        transport = transport_of(server_class)
        concurrency = concurrency_of(server_class)
        check_platform(transport)
        made: Any = server_class
        if constructor_of(made)[:2] != ("host", "port"):  # werkzeug's: what comes next is an app
            check_handler(self.handler, concurrency)
            check_units(self.handler, transport)
        check_suits_records(server_class, transport)
        self._check_types()
        self._check_numbers()
        self._check_place(transport)
        rules_from(self.redact)
        encryption = encryption_from(self, transport)
        if encryption is not None:
            server_class = class_with_tls(server_class, transport, concurrency)
        return Resolved(
            server_class=server_class,
            encryption=encryption,
            handler=self.handler,
            transport=transport,
            concurrency=concurrency,
            framing=framing_from(self._framing(server_class)) or default_framing(transport),
            host=group_from(self.multicast, broadcast=self.broadcast, host=self.host, transport=transport)
            or self.host
            or "127.0.0.1",
            port=self.port,
            path=None if self.path is None else os.fspath(self.path),
            backlog=self.backlog,
            strict=self.strict,
            allow_unused=self.allow_unused,
            accept=self.accept,
            timeout=self.timeout,
            name=self.name or f"{concurrency} {transport} server",
            faults=fault_options.plans_from(self.faults),
            relay=self.relay,
            seed=fault_options.seed_from(self.seed),
            redact=self.redact,
        )

    def _framing(self, server_class: type[Any]) -> Any:
        """Return the framing asked for, or that of the class of handlers or servers, if it has one."""
        if self.framing is not None:
            return self.framing
        of_handler = getattr(self.handler, "windsock_framing", None) if isinstance(self.handler, type) else None
        return of_handler or getattr(server_class, "windsock_framing", None)

    def _class(self) -> type[Any]:
        if self.server_class is None:
            by_default = "trio" if is_async(self.handler) else "threading"
            return class_with(self.mixins, class_for(self.transport or "tcp", self.concurrency or by_default))
        check_class(self.server_class)
        for word, found in (("transport", transport_of), ("concurrency", concurrency_of)):
            asked, is_really = getattr(self, word), found(self.server_class)
            if asked is not None and asked != is_really:
                name = self.server_class.__name__
                raise UsageError(
                    f"{word}={asked!r}: {name} is {is_really!r}; leave {word}= out, or choose another class"
                )
        if self.mixins:
            name = self.server_class.__name__
            raise UsageError(f"mixins= and {name} don't go together; pass a class derived from the mix-ins and {name}")
        return self.server_class

    def _check_types(self) -> None:
        for name, types in TYPES.items():
            value = getattr(self, name)
            if not isinstance(value, types) or (type(value) is bool and bool not in types):
                expected = " or ".join(WORDS[each] for each in types)
                raise UsageError(f"{name}={value!r}: expected {expected}")

    def _check_numbers(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port={self.port!r}: expected 0 (any free port) to 65535")
        if self.backlog < 0:
            raise UsageError(f"backlog={self.backlog!r}: expected 0 or more connections")
        check_seconds(f"timeout={self.timeout!r}", self.timeout)

    def _check_place(self, transport: str) -> None:
        if transport.startswith("unix"):
            if self.host is not None or self.port:
                raise UsageError(f"host= and port= are not for transport={transport!r}; it takes path=")
            if self.path is not None and not addresses.is_abstract(os.fspath(self.path)):
                addresses.check_unix_path(os.fspath(self.path))
            return
        if self.path is not None:
            raise UsageError(f"path={self.path!r} is not for transport={transport!r}; it takes host= and port=")
        if self.host is not None and not self.allow_external:
            addresses.check_loopback(f"host={self.host!r}", self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Options that have been checked."""

    server_class: type[Any]
    handler: Handler | None
    transport: str
    concurrency: str
    framing: Framing | None
    host: str
    port: int
    path: str | None
    backlog: int
    strict: bool
    allow_unused: bool
    timeout: float
    name: str
    encryption: Encryption | None
    accept: bool = False
    faults: tuple[fault_options.FaultOptions, ...] = ()
    relay: bool = False
    seed: int | None = None
    redact: Any = None

    @property
    def is_datagram(self) -> bool:
        """Return whether requests are datagrams."""
        return self.transport in ("udp", "unix_datagram")

    @property
    def keeps_records(self) -> bool:
        """Return whether connections keep records."""
        return self.transport == "unix_seqpacket"

    @property
    def unit(self) -> Unit:
        """Return what the transport carries: "stream", "datagram" or "record"."""
        return "datagram" if self.is_datagram else "record" if self.keeps_records else "stream"

    @property
    def is_unix(self) -> bool:
        """Return whether the address is a path or an abstract name."""
        return self.transport.startswith("unix")

    @property
    def runs_test_code_in_loop(self) -> bool:
        """Return whether the thread of the serve loop runs handlers, or may run hooks of the test's own class."""
        kind: Any = self.server_class
        return self.concurrency not in ("threading", "forking") or not _is_ours(kind)


@lru_cache(maxsize=256)
def _is_ours(server_class: Any) -> bool:
    """Return whether a class is put together from those of windsock alone."""
    return all(each.__module__.partition(".")[0] in ("windsock", "builtins") for each in server_class.__mro__)


OPTION_NAMES = frozenset(each.name for each in fields(Options))
"""Every keyword there is."""
