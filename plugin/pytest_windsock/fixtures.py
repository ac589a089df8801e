"""The fixtures, all from one place: a server for each transport, one for each exact combination, and a factory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import pytest

from pytest_windsock import deadline, seeds

if TYPE_CHECKING:
    from windsock import RunningServer, ScriptedClient
    from windsock.harness import Crew
    from windsock.wire.proxied import FaultProxy

__all__ = [
    "ALL",
    "Connect",
    "Serve",
    "State",
    "dismiss",
    "finish_all",
    "sections",
    "seed_source",
    "timeout_of",
]

TRANSPORTS = {
    "tcp": "TCP streams",
    "udp": "UDP datagrams",
    "unix_stream": "Unix stream sockets",
    "unix_datagram": "Unix datagram sockets",
}
CONCURRENCIES = {
    "sync": "one request after the other",
    "threading": "a thread for each request",
    "forking": "a process for each request",
    "selecting": "a turn in one select loop for each request",
    "trio": "a trio task for each request",
}


FILTERS = ("transports", "concurrency", "tls")
"""Keywords of the marker that say which items of `any_server` there are."""


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


class State:
    """What there is one of in a run: the test that is running now, and idle threads for its servers."""

    item: pytest.Item
    servers: list[RunningServer | FaultProxy] = []  # noqa: RUF012  # there is one of it
    """The servers and proxies that this test has used, running or stopped."""
    shown: WeakKeyDictionary[RunningServer | FaultProxy, list[str]] = WeakKeyDictionary()  # noqa: RUF012  # likewise
    """The transcripts that reports have shown."""
    crew: Crew | None = None
    known: dict[tuple[Any, ...], tuple[list[pytest.Mark], Callable[..., RunningServer]]] = {}  # noqa: RUF012  # likewise
    """What a fixture serves in a run under the same markers (which are kept, as they are known by their ids)."""


def _one(name: str, fixed: dict[str, str]) -> RunningServer:
    """Start the server of a fixture; what has been started before needs no second look at its options."""
    __tracebackhide__ = True
    item = State.item
    marks = list(item.iter_markers("windsock"))
    key = (name, id(item.config), *fixed.items(), *map(id, marks))
    known = State.known.get(key)
    if known is None:
        server = _start(name, (), fixed | {"name": name})
        State.known[key] = marks, partial(type(server), server.options)
    else:
        server = known[1](State.crew, seed_source())
        State.servers.append(server)
    return server


def seed_source() -> Callable[[], int]:
    """Return what knows the seed for the next server or proxy of the test that runs now; asked only if it is needed."""
    item = State.item
    number = len(State.servers)
    return lambda: seeds.seed_of_server(item, number)


def _start(name: str, what: tuple[Any, ...], own: dict[str, Any]) -> RunningServer:
    """Start a server for the test that runs now, and keep it for the report; skip where the platform can't."""
    __tracebackhide__ = True
    import windsock
    from windsock.errors import NotInstalled

    deadline.hand_over()
    item = State.item
    options: dict[str, Any] = {"timeout": timeout_of(item.config)}
    marked = _marked(item)
    if marked:
        if name == "any_server":
            marked = {key: value for key, value in marked.items() if key not in FILTERS}
        elif name != "serve":
            _check_fits(name, marked, own)
        options |= marked
    options |= own
    what = _what(what, options.pop("server_class", None), options.pop("handler", None))
    if State.crew is None:
        State.crew = _crew(item.config)
    try:
        server = windsock.serving(*what, **options, _crew=State.crew, _seed=seed_source())
    except windsock.Unsupported as reason:
        pytest.skip(str(reason))
    except NotInstalled as reason:
        if name != "any_server":  # which nobody has asked for this in particular
            raise
        pytest.skip(str(reason))
    State.servers.append(server)
    return server


def _what(positional: tuple[Any, ...], server_class: Any, handler: Any) -> tuple[Any, Any]:
    """Return what to serve; a server class that was passed alone serves the handler that was named."""
    first, second = positional or (server_class, handler)
    if second is None and hasattr(first, "serve_forever"):
        second = handler
    return first, second


def _check_fits(name: str, marked: dict[str, Any], own: dict[str, Any]) -> None:
    __tracebackhide__ = True
    import windsock

    for key in marked.keys() & own.keys() - {"name"}:
        if marked[key] != own[key]:
            raise windsock.UsageError(
                f"the marker says {key}={marked[key]!r}, but the fixture {name} is {own[key]!r}; "
                f"leave {key}= out, or ask for another fixture"
            )


def _marked(item: pytest.Item) -> dict[str, Any]:
    """Return the marker's keywords; those closest to the test win."""
    options: dict[str, Any] = {}
    for mark in item.iter_markers("windsock"):
        options = dict(mark.kwargs) | options
    return options


def timeout_of(config: pytest.Config) -> float:
    """Return the ini value in seconds. Raises pytest.UsageError if it is no such thing."""
    value = config.getini("windsock_timeout")
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise pytest.UsageError(f"windsock_timeout = {value!r}: expected seconds, more than 0")
    return seconds


def _crew(config: pytest.Config) -> Crew:
    from windsock.harness import Crew

    value = config.getini("windsock_idle_threads")
    if not value.isdecimal():
        raise pytest.UsageError(f"windsock_idle_threads = {value!r}: expected a number, 0 or more")
    return Crew(most=int(value))


def dismiss() -> None:
    """End the idle threads."""
    crew, State.crew = State.crew, None
    State.known.clear()
    if crew is not None:
        crew.dismiss()


def _fixture(name: str, doc: str, **fixed: str) -> Any:
    def fixture() -> Iterator[RunningServer]:
        __tracebackhide__ = True
        server = _one(name, fixed)
        try:
            yield server
        finally:
            server.finish()

    fixture.__name__ = fixture.__qualname__ = name
    fixture.__doc__ = doc
    return pytest.fixture(name=name)(fixture)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Factory of servers: serve(MyHandler), serve(MyServer, MyHandler), serve(transport="udp", ...)."""
    __tracebackhide__ = True
    started: list[RunningServer] = []

    def start(first: Any = None, second: Any = None, /, **options: Any) -> RunningServer:
        __tracebackhide__ = True
        server = _start("serve", () if first is None and second is None else (first, second), options)
        started.append(server)
        return server

    try:
        yield start
    finally:
        finish_all(started)


@pytest.fixture
def scripted_client() -> Iterator[Connect]:
    """Factory of scripted clients: scripted_client(address), with transport=, tls=, source=, timeout=, ..."""
    __tracebackhide__ = True
    import windsock
    from windsock.scripts.company import Company

    deadline.hand_over()
    company = Company()
    seconds = timeout_of(State.item.config)

    def connect(address: Any, **options: Any) -> ScriptedClient:
        __tracebackhide__ = True
        defaults: dict[str, Any] = {"timeout": seconds, "_company": company}
        if options.get("faults"):
            defaults["seed"] = seed_source()()
        return windsock.scripted_client(address, **defaults | options)

    try:
        yield connect
    finally:
        failures = company.close()
        what = "scripts in the background failed" if failures else "faults have never fired"
        failures += company.unfired
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise BaseExceptionGroup(what, failures)


@pytest.fixture
def any_server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server of every kind there is, one test item each; filtered by the marker: transports=, concurrency=, tls=."""
    __tracebackhide__ = True
    server = _one("any_server", request.param.options())
    try:
        yield server
    finally:
        server.finish()


def finish_all(servers: Sequence[RunningServer | FaultProxy]) -> None:
    """Finish every server, the latest first; raise all that went wrong at once."""
    __tracebackhide__ = True
    failures: list[BaseException] = []
    for server in reversed(servers):
        try:
            server.finish()
        except Exception as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BaseExceptionGroup("several servers had errors", failures)


def _all() -> dict[str, Any]:
    fixtures: dict[str, Any] = {"serve": serve, "scripted_client": scripted_client, "any_server": any_server}
    for transport, what in TRANSPORTS.items():
        name = f"{transport}_server"
        doc = (
            f"A server for {what}; by default {CONCURRENCIES['threading']}. It is a fake unless marked with a handler."
        )
        fixtures[name] = _fixture(name, doc, transport=transport)
        for concurrency, how in CONCURRENCIES.items():
            exact = f"{concurrency}_{name}"
            doc = f"A server for {what}, {how}."
            fixtures[exact] = _fixture(exact, doc, transport=transport, concurrency=concurrency)
    return fixtures


ALL = _all()
"""Each fixture by its name."""


def sections(servers: Iterable[RunningServer | FaultProxy], when: str) -> list[tuple[str, str]]:
    """Return the report sections that show what the servers recorded, and what their faults did.

    What the report of the test itself has shown is not shown again at its teardown, only what came after it.
    """
    suffix = " (teardown)" if when == "teardown" else ""
    found = []
    for server in servers:
        lines = server.transcript()
        shown = State.shown.get(server)
        State.shown[server] = lines
        if shown is not None and lines[: len(shown)] == shown:
            lines = ["... as in the test's own report, and then:", *lines[len(shown) :]]
            if len(lines) == 1:
                continue
        found.append((f"windsock: {server.describe()}{suffix}", "\n".join(lines)))
        if faults := server.fault_report():
            run = seeds.seed_of_run(State.item.config)
            found.append((f"windsock: faults of {server.name}, --windsock-seed={run}{suffix}", "\n".join(faults)))
    return found
