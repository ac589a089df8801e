"""The fixtures, all from one place: a server for each transport, one for each exact combination, and a factory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from windsock import RunningServer

__all__ = ["ALL", "SERVERS", "Serve", "sections"]

SERVERS: pytest.StashKey[list[RunningServer]] = pytest.StashKey()
"""The servers that a test has used, running or stopped."""

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
}


class Serve(Protocol):
    """The factory that the fixture `serve` gives: takes what `windsock.serving()` takes."""

    def __call__(self, first: Any = None, second: Any = None, /, **options: Any) -> RunningServer:
        """Start a server that runs until the test ends."""
        ...


def _one(request: pytest.FixtureRequest, fixed: dict[str, str]) -> Iterator[RunningServer]:
    __tracebackhide__ = True
    server = _start(request, (), _marked(request), fixed | {"name": str(request.fixturename)})
    try:
        yield server
    finally:
        server.finish()


def _start(
    request: pytest.FixtureRequest, what: tuple[Any, ...], marked: dict[str, Any], own: dict[str, Any]
) -> RunningServer:
    """Start a server and keep it for the report; skip where the platform can't."""
    __tracebackhide__ = True
    import windsock

    for key in marked.keys() & own.keys() - {"name"}:
        if request.fixturename != "serve" and marked[key] != own[key]:
            raise windsock.UsageError(
                f"the marker says {key}={marked[key]!r}, but the fixture {request.fixturename} is {own[key]!r}; "
                f"leave {key}= out, or ask for another fixture"
            )
    options = {"timeout": _timeout(request.config)} | marked | own
    of_marker = (options.pop("server_class", None), options.pop("handler", None))
    try:
        server = windsock.serving(*(what or of_marker), **options)
    except windsock.Unsupported as reason:
        pytest.skip(str(reason))
    request.node.stash.setdefault(SERVERS, []).append(server)
    return server


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the marker's keywords; those closest to the test win."""
    options: dict[str, Any] = {}
    for mark in request.node.iter_markers("windsock"):
        options = mark.kwargs | options
    return options


def _timeout(config: pytest.Config) -> float:
    value = config.getini("windsock_timeout")
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise pytest.UsageError(f"windsock_timeout = {value!r}: expected seconds, more than 0")
    return seconds


def _fixture(name: str, doc: str, **fixed: str) -> Any:
    def fixture(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
        __tracebackhide__ = True
        yield from _one(request, fixed)

    fixture.__name__ = fixture.__qualname__ = name
    fixture.__doc__ = doc
    return pytest.fixture(name=name)(fixture)


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Factory of servers: serve(MyHandler), serve(MyServer, MyHandler), serve(transport="udp", ...)."""
    started: list[RunningServer] = []

    def start(first: Any = None, second: Any = None, /, **options: Any) -> RunningServer:
        what = () if first is None and second is None else (first, second)
        server = _start(request, what, _marked(request), options)
        started.append(server)
        return server

    try:
        yield start
    finally:
        _finish_all(started)


def _finish_all(servers: list[RunningServer]) -> None:
    """Finish every server, the latest first; raise all that went wrong at once."""
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
    fixtures: dict[str, Any] = {"serve": serve}
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


def sections(servers: list[RunningServer], when: str) -> list[tuple[str, str]]:
    """Return the report sections that show what the servers recorded."""
    suffix = " (teardown)" if when == "teardown" else ""
    return [(f"windsock: {server.describe()}{suffix}", "\n".join(server.transcript())) for server in servers]
