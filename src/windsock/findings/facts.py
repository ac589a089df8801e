"""The facts of one failed test, as plain values: what a finding is a pure function of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from windsock.recording import Direction

if TYPE_CHECKING:
    from windsock.fakes.patterns import Pattern
    from windsock.faults import Firing
    from windsock.findings.downs import Down, ProgramFacts
    from windsock.recording import Chunk, Ending, Framing
    from windsock.security.certificate_choice import CertificateChoice
    from windsock.security.handshake_info import TLSHandshake

__all__ = [
    "Case",
    "Comparison",
    "ConnectionFacts",
    "FailureFacts",
    "Finding",
    "HandlerPlace",
    "RuleFacts",
    "ServerFacts",
    "SourceLine",
]


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the user's own code, such as "test_it.py:7", and its text."""

    where: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class HandlerPlace:
    """Where the handler of a connection stands. `is_waiting`: in a call that waits for its client."""

    place: SourceLine
    is_waiting: bool

    def __str__(self) -> str:
        return f"{'waits' if self.is_waiting else 'stands'} at {self.place.where} ({self.place.source})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFacts:
    """One connection, or one datagram with its replies. Times are monotonic seconds.

    Of a connection that is large, or one of many, only the first bytes are kept, and no `chunks`. `rest` is what has
    come of a message that is not complete. `unsent` is how large the latest reply was, if it did not go out in full,
    and how much of it did. `latest` is when the last bytes passed before the client's end, and before the test failed.
    `handler` is where the handler stood then. `has_exited`: its process has, and neither end was recorded.
    """

    index: int
    peer: str = ""
    opened: float = 0.0
    closed: float | None = None
    ending: Ending | None = None
    chunks: tuple[Chunk, ...] = ()
    upstream: bytes = b""
    downstream: bytes = b""
    messages: tuple[bytes, ...] = ()
    rest: bytes = b""
    waits_for: str = ""
    unsent: tuple[int, int] | None = None
    client_end: float | None = None
    server_end: float | None = None
    latest: float = 0.0
    faults: tuple[str, ...] = ()
    reset_by_server: float | None = None
    has_failed: bool = False
    played: str | None = None
    refused: str | None = None
    tls: TLSHandshake | None = None
    is_tls_truncated: bool = False
    handler: HandlerPlace | None = None
    pid: int | None = None
    has_exited: bool = False

    def was_active_since(self, time: float) -> bool:
        """Return whether it was opened, or bytes or the client's end came, at that time or later."""
        return max(self.opened, self.latest, self.client_end or 0.0) >= time

    def was_in_use(self, failure: FailureFacts) -> bool:
        """Return whether the client was still there when the test failed, or had waited until just before that."""
        if self.client_end is None:
            return True
        return self.client_end - self.latest > failure.at - self.client_end

    @property
    def tls_failed(self) -> bool:
        """Return whether there was no TLS with the client."""
        return self.tls is not None and self.tls.failure is not None

    @property
    def last_sender(self) -> Direction | None:
        """Return which way the last bytes went before the client's end."""
        return next((each.direction for each in reversed(self.chunks) if each.time <= self.latest), None)


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """One rule of a fake: its code, its pattern, and the connections it counts in."""

    code: str
    pattern: Pattern
    connections: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """One server or proxy. `shown` is its address in words, `versions` the range of TLS versions that it takes.

    `in_hand` has the indices of the connections that are for the test's `accept()`, and not for the fake.
    """

    name: str
    address: object = None
    shown: str = ""
    is_datagram: bool = False
    is_fake: bool = False
    is_proxy: bool = False
    never_speaks: bool = False
    idle_seconds: float | None = None
    upstream: object = None
    framing: Framing | None = None
    rules: tuple[RuleFacts, ...] = ()
    is_sync: bool = False
    has_buffered_wfile: bool = False
    is_starttls: bool = False
    certificates: Mapping[str, CertificateChoice] = field(default_factory=dict)
    alpn: tuple[str, ...] = ()
    versions: tuple[str, str] = ("", "")
    firings: tuple[Firing, ...] = ()
    downs: tuple[Down, ...] = ()
    connections: tuple[ConnectionFacts, ...] = ()
    in_hand: frozenset[int] = frozenset()

    def at(self, connection: ConnectionFacts) -> str:
        """Return the name of a connection in a sentence."""
        return f"{self.name} #{connection.index}"

    def rules_for(self, connection: ConnectionFacts) -> list[RuleFacts]:
        """Return the rules that count in a connection."""
        return [rule for rule in self.rules if connection.index in rule.connections]

    def left_by_rules(self, connection: ConnectionFacts) -> bytes:
        """Return what remains of a stream without framing, behind the bytes that rules answer."""
        known = [each.pattern for each in self.rules_for(connection) if isinstance(each.pattern, bytes)]
        rest = connection.upstream
        while found := next((each for each in known if rest.startswith(each)), b""):
            rest = rest[len(found) :]
        return rest

    def about(self, connection: ConnectionFacts) -> tuple[object, ...]:
        """Return what a finding about a connection is about."""
        return self.name, self.shown, connection.index


@dataclass(frozen=True, slots=True)
class Comparison:
    """The bytes of a failed `==`, as far as the report shows them, and how many they are.

    `is_beginning`: the left ones are the beginning of the right ones.
    """

    left: bytes
    right: bytes
    left_size: int
    right_size: int
    is_beginning: bool

    @property
    def is_whole(self) -> bool:
        """Return whether the report shows all bytes of both."""
        return (len(self.left), len(self.right)) == (self.left_size, self.right_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFacts:
    """The exception that the test failed with. `kinds` are words for what it says of the network, see `failure.py`.

    `names` are the classes of the exception, its causes and members; `compared` are the bytes of a failed `==`,
    `counted` are the two numbers of one, if the left one is the length of bytes. `client` is the line of the test, or
    of the user's client, that failed or waited. `tried` is where it wanted to connect to. `sockets` are the own
    addresses of the sockets in the frame that failed; "" is one that is closed or has none. `waits_in_pool`: a task of
    a thread pool waited for another task.
    """

    kinds: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    text: str = ""
    compared: Comparison | None = None
    counted: tuple[int, int] | None = None
    client: SourceLine | None = None
    has_no_timeout: bool = False
    tried: str = ""
    sockets: tuple[str, ...] = ()
    waits_in_pool: bool = False
    at: float = 0.0

    @property
    def is_about_traffic(self) -> bool:
        """Return whether what passed, or did not, may be the reason."""
        return "other" not in self.kinds

    @property
    def is_of_network(self) -> bool:
        """Return whether it is about traffic, and more than an error of any kind."""
        return bool(self.kinds - {"other", "error"})

    @property
    def is_about_thread(self) -> bool:
        """Return whether the test has waited for another thread, its result, or its end."""
        return "Empty" in self.names or self.has("timeout", "thread")

    def has(self, *kinds: str) -> bool:
        """Return whether it is of one of these kinds."""
        return not self.kinds.isdisjoint(kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One failed test: its servers, proxies and programs, its exception, and where its other threads stand, by name."""

    servers: tuple[ServerFacts, ...]
    programs: tuple[ProgramFacts, ...] = ()
    failure: FailureFacts = field(default_factory=FailureFacts)
    threads: tuple[tuple[str, SourceLine], ...] = ()

    @property
    def answering(self) -> Iterator[ServerFacts]:
        """Give those that are not only in front of another one, whose traffic would be told twice."""
        known = [each.address for each in self.servers if not each.is_proxy]
        return (each for each in self.servers if not (each.is_proxy and each.upstream in known))

    def is_about_another(self, address: object, shown: str) -> bool:
        """Return whether the client that failed was, or may have been, one of another server than the one there.

        A proxy in front of that is no other server, nor is the server behind a proxy.
        """
        failure = self.failure
        if failure.tried:
            return failure.tried not in (shown, *(each.shown for each in self.servers if each.upstream == address))
        in_line = self.in_line_with(address)
        others = (each for each in self.servers if each.name not in in_line)
        clients = [one for each in others for one in each.connections if one.peer]
        if any(failure.sockets):
            return any(each.peer in failure.sockets for each in clients)
        return not failure.has("refused") and any(each.was_in_use(failure) for each in clients)

    def in_line_with(self, address: object) -> frozenset[str]:
        """Return the names of the server or proxy at an address, of the proxies before it and the servers behind it."""
        behind = [each.upstream for each in self.servers if each.address == address and each.is_proxy]
        return frozenset(each.name for each in self.servers if {address, *behind} & {each.address, each.upstream})

    def has_named(self, *errors: str) -> bool:
        """Return whether the exception is, or has, one of these classes of ours, which name the cause themselves."""
        return not self.failure.names.isdisjoint(errors)


@dataclass(frozen=True, slots=True)
class Finding:
    """One conclusion: a plain sentence. The one with the highest `weight`, 0 to 100, is the most probable.

    `about` is a server's name and a connection's index, or more: of two findings about the same, one is shown. Of the
    servers that `explains` names, this says all: other findings about them are not shown.
    """

    weight: int
    sentence: str
    about: tuple[object, ...]
    explains: frozenset[str] = frozenset()
