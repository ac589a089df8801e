"""Two servers on one port, one over TCP and one over UDP, as a DNS server has them: `with serving_pair() as pair`."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self, Unpack

from windsock.errors import UsageError
from windsock.harness.running import RunningServer
from windsock.harness.serving import serving
from windsock.harness.thread_pool import ThreadPool
from windsock.harness.timed_outage import timed_outage
from windsock.net.blocks import Block
from windsock.options.listeners import StartError
from windsock.options.server_options import Handler, SharedKeywords
from windsock.recording import Connection, Requests, framing_from
from windsock.recording.protocol_framing import protocol_of
from windsock.recording.subject import distinct_name
from windsock.recording.transcript.excerpt import excerpt
from windsock.recording.transcript.subjects import subject_of
from windsock.recording.transcript.transcript import Transcript
from windsock.scripts.checks import check_keywords

if TYPE_CHECKING:
    from windsock.fakes.replies import Delivery
    from windsock.fakes.rules import Rule
    from windsock.fakes.shared_replies import SharedReplies
    from windsock.protocols.values import Sendable

__all__ = ["PairKeywords", "RunningPair", "on_one_port", "serving_pair"]

TRIES = 20
"""How many free ports of TCP are tried, until one is free for UDP too."""


class PairKeywords(SharedKeywords, total=False):
    """The keywords of `serving_pair()`: the handlers, and what both servers are asked, as in `serving()`."""

    tcp_handler: Handler | None
    udp_handler: Handler | None


def serving_pair(
    *,
    _thread_pool: ThreadPool | None = None,
    _seed: Callable[[], int] | None = None,
    **options: Unpack[PairKeywords],
) -> RunningPair:
    """Start two servers on one port, over TCP and over UDP, for the length of a `with`.

    `tcp_handler` and `udp_handler` are their handlers; one without a handler is a fake. The other keywords are those
    of `serving()`, for both. `framing` tells the messages of the stream apart, such as `LengthPrefix(2)` for DNS; a
    datagram is a message. Without `port=` it is one that is free for both, and both are bound before this returns.

    Raises UsageError for invalid values, StartError if the port is not available.
    """
    check_keywords("serving_pair", options, PairKeywords)
    both: dict[str, Any] = {
        key: value for key, value in options.items() if key not in ("tcp_handler", "udp_handler", "name")
    }
    name = options.get("name") or distinct_name("pair (tcp)").replace(" (tcp)", "")

    def start(transport: str, port: int) -> RunningServer:
        own = both | {"transport": transport, "port": port, "name": f"{name} ({transport})"}
        if transport == "udp" and protocol_of(framing_from(own.get("framing"))) is None:
            own["framing"] = None  # a datagram is a message
        handler = options.get("tcp_handler") if transport == "tcp" else options.get("udp_handler")
        return serving(handler=handler, _thread_pool=_thread_pool, _seed=_seed, **own)

    return RunningPair(name, *on_one_port(start, both.get("port", 0)))


def on_one_port(start: Callable[[str, int], RunningServer], port: int) -> tuple[RunningServer, RunningServer]:
    """Start both servers; if the port that TCP has got is taken for UDP, try another one."""
    for tries_left in reversed(range(TRIES)):
        tcp = start("tcp", port)
        try:
            return tcp, start("udp", tcp.port)
        except BaseException as error:
            tcp.stop()
            if port or not tries_left or not _is_in_use(error):
                raise
    raise AssertionError("the last try has raised")


def _is_in_use(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(error, StartError) and isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE


class RunningPair:
    """A server over TCP and one over UDP on the same port, from `serving_pair()` to `stop()`.

    `tcp` and `udp` are the two, with all that a server has: `pair.tcp.connect()`, `pair.udp.fault(...)`, rules of their
    own. The methods of the pair are for both at once.
    """

    def __init__(self, name: str, tcp: RunningServer, udp: RunningServer) -> None:
        self.name = name
        self.tcp = tcp
        self.udp = udp
        self.requests: Requests = Requests(*udp.requests.sources, *tcp.requests.sources, timeout=lambda: tcp.timeout)
        self._shared: SharedReplies | None = None
        if tcp.fake is not None and udp.fake is not None:
            from windsock.fakes.shared_replies import SharedReplies

            self._shared = SharedReplies(tcp.options.framing, forks=tcp.options.concurrency == "forking")
            tcp.fake.share(self._shared.of_stream)
            udp.fake.share(self._shared.of_datagrams)

    def __repr__(self) -> str:
        return f"<{self.name} on {self.tcp.shown_address}, {'stopped' if self.tcp.is_stopped else 'running'}>"

    @property
    def address(self) -> tuple[str, int]:
        """(host, port), the same for TCP and UDP."""
        return self.host, self.port

    @property
    def host(self) -> str:
        """The host that clients connect to."""
        return self.tcp.host

    @property
    def port(self) -> int:
        """The port of both."""
        return self.tcp.port

    @property
    def servers(self) -> tuple[RunningServer, RunningServer]:
        """Both servers."""
        return self.tcp, self.udp

    # --- answers

    def on(self, pattern: object, *, after: int = 0, first: bool = False) -> Rule:
        """Begin a rule for messages over TCP and UDP: `pair.on(b"PING").reply(b"PONG")`. See `RunningServer.on`.

        It counts the messages of both. Rules of `pair.tcp` and `pair.udp` come before it. With a `LengthPrefix` the
        rule, its functions and its replies are for messages without the prefix, which the stream's replies get.

        Raises UsageError if one of the two has a handler, or the stream has no framing.
        """
        shared = self._told("on")
        from windsock.fakes.rule_options import RuleOptions

        return shared.on(pattern, RuleOptions.checked(after=after, first=first))

    def reply(self, data: Sendable, *, times: int | None = 1, **delivery: Unpack[Delivery]) -> Self:
        """Answer the next message, over TCP or UDP; `times` of them, or every one with None."""
        self._told("reply").reply(data, times, **delivery)
        return self

    def echo(self) -> Self:
        """Answer every message with itself."""
        self._told("echo").echo()
        return self

    def _told(self, method: str) -> SharedReplies:
        if self._shared is None:
            raise UsageError(
                f"{method}(): a server of the {self.name} has a handler, which answers; "
                f"use pair.tcp.{method}() or pair.udp.{method}() for the other one"
            )
        return self._shared

    # --- what happened

    @property
    def connections(self) -> list[Connection]:
        """The connections and datagrams so far, in the order of time."""
        return sorted((each for server in self.servers for each in server.connections), key=lambda each: each.opened)

    def transcript(self) -> list[str]:
        """Return what both have recorded, in the order of time, limited in length."""
        return excerpt(Transcript([subject_of(each) for each in self.servers]))[0]

    # --- its life

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True  # pytest leaves such frames out
        if error is None:
            self.drain()
        self._end(lambda server: server.__exit__(kind, error, trace))

    def drain(self) -> None:
        """Handle what clients sent before they left. See `RunningServer.drain`."""
        for each in self.servers:
            each.drain()

    def stop(self) -> None:
        """Stop both. Idempotent. See `RunningServer.stop`."""
        self._end(lambda server: server.stop())

    def finish(self) -> None:
        """Drain and stop both; raise the errors and the unmet expectations of strict ones, as an ExceptionGroup."""
        __tracebackhide__ = True
        self.drain()
        self._end(lambda server: server.finish())

    def _end(self, how: Callable[[RunningServer], object]) -> None:
        """End the two; the one that judges the replies of both is the last."""
        __tracebackhide__ = True
        failures: list[BaseException] = []
        for each in (self.udp, self.tcp):
            try:
                how(each)
            except (Exception, BaseExceptionGroup) as error:
                failures.append(error)
        if self._shared is not None:
            self._shared.close()
        if failures:
            raise failures[0] if len(failures) == 1 else BaseExceptionGroup(f"{self.name}: both failed", failures)

    def outage(self) -> Block[None]:
        """Be down for the length of a `with`, over TCP and UDP. See `RunningServer.outage`."""
        return Block("outage()", self._outage())

    @contextmanager
    def _outage(self) -> Iterator[None]:
        with ExitStack() as stack:
            for each in self.servers:
                stack.enter_context(each.outage())
            yield

    def outage_for(self, seconds: float) -> Block[None]:
        """Be down for `seconds`, over TCP and UDP. See `RunningServer.outage_for`."""
        outage = timed_outage(self._outage(), seconds, self.tcp.options.timeout)
        return Block(f"outage_for({seconds!r})", outage)
