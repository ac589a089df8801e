"""The bodies of the fixtures: start servers, clients and proxies for the running test, and finish them at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import windsock
from pytest_windsock import (
    deadline,
    hangs,
    sections,  # noqa: F401  # for the report, which is no place to import anything
    seeds,
    verdict,
)
from pytest_windsock.fixtures import State
from pytest_windsock.ini_values import idle_threads_of, timeout_of
from windsock.errors import NotInstalled
from windsock.harness import ThreadPool

if TYPE_CHECKING:
    from pytest_windsock.factories import Connect, Divert, Proxies, Serve
    from windsock import Diversion, RunningPair, RunningServer, ScriptedClient
    from windsock.proxies.proxy import FaultProxy

__all__ = ["FILTERS", "OF_PAIRS", "OWN", "clients", "diversions", "one", "pair", "proxies", "scoped", "servers"]

FILTERS = ("transports", "concurrency", "tls")
"""Keywords of the marker that select the items of `any_server`."""
OWN = ("against", "artifacts", "cassette", "simulated")
"""Keywords of the marker that are about the test, not its servers."""
OF_PAIRS = ("tcp_handler", "udp_handler")
"""Keywords of the marker that are for `tcp_udp_server` alone."""


def one(name: str, fixed: dict[str, str]) -> RunningServer:
    """Start the server of a fixture; what has been started before needs no second look at its options."""
    __tracebackhide__ = True
    item = State.item
    hangs.begin(item)
    marks = list(item.iter_markers("windsock"))
    key = (name, id(item.config), *fixed.items(), *map(id, marks))
    known = State.known.get(key)
    if known is None:
        server = _start(name, (), fixed | {"name": name})
        State.known[key] = marks, partial(type(server), server.options)
    else:
        server = known[1](State.thread_pool, seed_source())
        State.servers.append(server)
    return server


def seed_source() -> Callable[[], int]:
    """Return what knows the seed for the next server or proxy of the test that runs now; asked only if it is needed."""
    item = State.item
    number = len(State.servers)
    return lambda: seeds.seed_of_server(item, number)


def pair() -> Iterator[RunningPair]:
    """Give a pair of servers, and finish it; its keywords are those of the marker."""
    __tracebackhide__ = True
    deadline.hand_over()
    item = State.item
    hangs.begin(item)
    if State.thread_pool is None:
        State.thread_pool = _thread_pool(item.config)
    options: dict[str, Any] = {"timeout": timeout_of(item.config), "name": "tcp_udp_server"} | _marked(item)
    made = windsock.serving_pair(_thread_pool=State.thread_pool, _seed=seed_source(), **options)
    State.servers += made.servers
    try:
        yield made
    finally:
        verdict.finish(made.servers)


def _start(name: str, what: tuple[Any, ...], own: dict[str, Any]) -> RunningServer:
    """Start a server for the test that runs now, and keep it for the report; skip where the platform can't."""
    __tracebackhide__ = True
    deadline.hand_over()
    item = State.item
    hangs.begin(item)
    options: dict[str, Any] = {"timeout": timeout_of(item.config)}
    marked = {key: value for key, value in _marked(item).items() if key not in OF_PAIRS}
    if marked:
        if name == "any_server":
            marked = {key: value for key, value in marked.items() if key not in FILTERS}
        elif name != "serve":
            _check_fits(name, marked, own)
        options |= marked
    options |= own
    return _serve(what, options, seed_source(), is_one_of_many=name == "any_server")


def scoped(request: pytest.FixtureRequest, name: str, options: dict[str, Any]) -> RunningServer:
    """Start the server of a fixture that `pytest_windsock.fixture` has made; its seed outside of tests is its own."""
    __tracebackhide__ = True
    deadline.hand_over()
    hangs.begin(State.item)
    given = {"timeout": timeout_of(request.config), "name": name} | options
    seed = partial(seeds.seed_of_fixture, request.config, name)
    return _serve((), given, seed, is_one_of_many=hasattr(request, "param"))


def _serve(
    what: tuple[Any, ...], options: dict[str, Any], seed: Callable[[], int], *, is_one_of_many: bool
) -> RunningServer:
    __tracebackhide__ = True
    what = _what(what, options.pop("server_class", None), options.pop("handler", None))
    if State.thread_pool is None:
        State.thread_pool = _thread_pool(State.item.config)
    try:
        server = windsock.serving(*what, **options, _thread_pool=State.thread_pool, _seed=seed)
    except windsock.Unsupported as reason:
        pytest.skip(str(reason))
    except NotInstalled as reason:
        if not is_one_of_many:  # no test asks for one of those in particular
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
    for key in marked.keys() & own.keys() - {"name"}:
        if marked[key] != own[key]:
            raise windsock.UsageError(
                f"the marker says {key}={marked[key]!r}, but the fixture {name} is {own[key]!r}; "
                f"leave {key}= out, or ask for another fixture"
            )


def _marked(item: pytest.Item) -> dict[str, Any]:
    """Return the marker's keywords that are about servers; those closest to the test win."""
    options: dict[str, Any] = {}
    for mark in item.iter_markers("windsock"):
        options = dict(mark.kwargs) | options
    return {key: value for key, value in options.items() if key not in OWN}


def _thread_pool(config: pytest.Config) -> ThreadPool:
    return ThreadPool(most=idle_threads_of(config))


def servers() -> Iterator[Serve]:
    """Give the factory of servers, and finish them."""
    __tracebackhide__ = True
    started: list[RunningServer] = []

    def serve(first: Any = None, second: Any = None, /, **options: Any) -> RunningServer:
        __tracebackhide__ = True
        server = _start("serve", () if first is None and second is None else (first, second), options)
        started.append(server)
        return server

    try:
        yield serve
    finally:
        verdict.finish(started)


def clients() -> Iterator[Connect]:
    """Give the factory of scripted clients, and close them."""
    __tracebackhide__ = True
    from windsock.clients.client_group import ClientGroup

    deadline.hand_over()
    hangs.begin(State.item)
    client_group = ClientGroup()
    State.lines = client_group.lines
    seconds = timeout_of(State.item.config)

    def connect(address: Any, **options: Any) -> ScriptedClient:
        __tracebackhide__ = True
        defaults: dict[str, Any] = {"timeout": seconds, "_client_group": client_group}
        if options.get("faults"):
            defaults["seed"] = seed_source()()
        return windsock.scripted_client(address, **defaults | options)

    try:
        yield connect
    finally:
        failures = client_group.close()
        if not State.is_interrupted:
            _raise_all(failures, client_group.unfired)


def _raise_all(failed: list[BaseException], unfired: Iterable[BaseException]) -> None:
    __tracebackhide__ = True
    what = "scripts in the background failed" if failed else "faults have never fired"
    failures = [*failed, *unfired]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BaseExceptionGroup(what, failures)


def proxies() -> Iterator[Proxies]:
    """Give the factory of proxies, and finish them."""
    __tracebackhide__ = True
    deadline.hand_over()
    hangs.begin(State.item)
    started: list[FaultProxy] = []
    seconds = timeout_of(State.item.config)

    def proxy(address: Any, **options: Any) -> FaultProxy:
        __tracebackhide__ = True
        seed = seed_source()
        given: dict[str, Any] = {"timeout": seconds, "name": f"fault_proxy {len(started) + 1}"} | options
        if given.get("seed") is None:
            given["seed"] = seed()
        made = windsock.proxy(address, **given)
        started.append(made)
        State.servers.append(made)
        return made

    try:
        yield proxy
    finally:
        verdict.finish(started)


def diversions() -> Iterator[Divert]:
    """Give the factory of diversions, and end them; raise what they have refused since the end of the test's body."""
    __tracebackhide__ = True
    started: list[Diversion] = []

    def divert(names: Any, **options: Any) -> Diversion:
        __tracebackhide__ = True
        made = windsock.divert(names, **options)
        started.append(made)
        State.diversions.append(made)
        made.begin()
        return made

    try:
        yield divert
    finally:
        for each in reversed(started):
            each.end()
        if not State.is_interrupted:
            verdict.check(started)
