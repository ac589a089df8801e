"""The entrance of the room: `explore(test)` looks for the smallest weather that breaks a client."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from windsock import strategies
from windsock.errors import UsageError
from windsock.exploration.errors import ExplorationFailed
from windsock.exploration.example import Carry, Example, run_example
from windsock.exploration.patience import bounded
from windsock.exploration.progress_line import ProgressLine
from windsock.exploration.regression import CallSite, keywords_code, regression_test
from windsock.exploration.search import Exploration, Search
from windsock.exploration.under import PATIENCE, under
from windsock.faults.options import seed_from
from windsock.harness import RunningServer, serving
from windsock.proxies.proxy import FaultProxy
from windsock.scripts.checks import check_count, check_seconds

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from windsock.options.server_options import ServerKeywords
    from windsock.strategies.schedules import Schedule

__all__ = ["explore"]

RETRIES = 2
"""Connections beyond those of the calm example that a weather may be about."""
LONGEST_DELAY = 0.25
"""Seconds."""
HANDSHAKE = 4096
"""Bytes: about what a handshake of TLS and a short conversation take in one direction."""


def explore(
    test: Callable[[Any], object],
    *,
    on: RunningServer | Callable[[Schedule], AbstractContextManager[Any]] | None = None,
    examples: int = 100,
    within: float = 10.0,
    weather: SearchStrategy[Schedule] | None = None,
    patience: float = PATIENCE,
    **options: Unpack[ServerKeywords],
) -> Exploration:
    """Call `test(server)` under one weather after the other; raise ExplorationFailed for the smallest that breaks it.

    `test` sets up the server, uses a client, and asserts. Each call is an example of its own on one server, which is
    `serving(**options)`: see `under()`, also for `patience`. `on` is another server that runs, or a function of a
    weather that returns a context manager, whose value `test` gets, such as that of a proxy: `lambda weather:
    windsock.proxy(address, faults=weather, strict=False)`.

    At most `examples` weathers are tried, in at most `within` seconds, and as long again to find a smaller one that
    fails. The first example is without faults, and if that fails, its exception is raised as it is. `weather` is a
    strategy, by default `strategies.weather()` for the connections and messages that the first example had. The same
    `seed` (0 by default) draws the same weathers. Returns the number of examples, and what has fired.

    Needs the extra `hypothesis`. Raises UsageError for wrong values, and for a test that makes no connection.
    """
    __tracebackhide__ = True  # pytest leaves such frames out
    name = _checked_name(test)
    check_count(f"explore(examples={examples!r})", examples)
    check_seconds(f"explore(within={within!r})", within)
    check_seconds(f"explore(patience={patience!r})", patience)
    if not (weather is None or callable(getattr(weather, "filter", None))):
        raise UsageError(f"explore(weather={weather!r}): expected a strategy, such as strategies.weather()")
    seed = seed_from(options.pop("seed", None)) or 0
    with (
        ProgressLine(f"windsock: {name}") as progress,
        _carried(on, dict(options), patience) as (carry, call_site),
    ):
        search = Search(partial(run_example, test, carry), partial(_show, progress, examples), within)
        calm = _checked_calm(search.calm(), name)
        strategy = _strategy_for(calm, patience) if weather is None else weather
        found = search.smallest(strategy, examples, seed)
    if found is None:
        return search.summary()
    raise ExplorationFailed(name, found, regression_test(name, found.weather, call_site), search.summary()) from (
        found.error
    )


def _show(progress: ProgressLine, most: int, tried: int, failing: int) -> None:
    found = f"; {failing} fail, looking for a smaller one" if failing else ""
    progress.show(min(1.0, tried / most), f"{tried} of {most} examples{found}")


def _checked_name(test: Any) -> str:
    if not callable(test) or inspect.iscoroutinefunction(test):
        raise UsageError(f"explore({test!r}): expected a function of a server; an async one within asyncio.run()")
    name = getattr(test, "__name__", type(test).__name__)
    return name if name.isidentifier() else "test"


def _checked_calm(calm: Example, name: str) -> Example:
    if calm.error is not None:
        calm.error.add_note(f"windsock: explore(): {name} fails without a fault, in the first example")
        raise calm.error
    if calm.connections == 0:
        raise UsageError(f"explore({name}): it made no connection in its first example; expected one to server.address")
    return calm


def _strategy_for(calm: Example, patience: float) -> SearchStrategy[Schedule]:
    """Return weathers about the connections that the calm example had, and a few more, and about its messages."""
    strategy = strategies.weather(
        streams=not calm.is_datagram,
        connections=(calm.connections or 1) + RETRIES,
        largest=HANDSHAKE,
        offsets=() if calm.is_encrypted else calm.offsets,
        slowest=min(LONGEST_DELAY, patience / 4),
    )
    if calm.is_of_records:
        return strategy.map(lambda weather: [each for each in weather if not each[0].splits])
    return strategy


@contextmanager
def _carried(
    on: RunningServer | Carry | None, options: dict[str, Any], patience: float
) -> Iterator[tuple[Carry, CallSite]]:
    """Give what runs an example, and how a regression test does."""
    bound = "" if patience == PATIENCE else f", patience={patience!r}"
    if on is None:
        with serving(**options) as server:
            opened = f"windsock.serving({keywords_code(options)}) as server, windsock.under(weather, server{bound})"
            yield partial(under, server=server, patience=patience), CallSite(opened, "server")
    elif options:
        raise UsageError(f"explore(on={on!r}, {keywords_code(options)}): expected options of a server without on=")
    elif isinstance(on, RunningServer):
        name = on.name if on.name.isidentifier() else "server"
        opened = f"windsock.under(weather, {name}{bound})"
        yield partial(under, server=on, patience=patience), CallSite(opened, name, fixture=name)
    elif callable(on):
        name = getattr(on, "__name__", "")
        opened = f"{name if name.isidentifier() else 'weather_on'}(weather) as server"
        yield partial(_within, on, patience), CallSite(opened, "server")
    else:
        raise UsageError(f"explore(on={on!r}): expected a running server, or a function of a weather")


@contextmanager
def _within(on: Carry, patience: float, weather: Schedule) -> Iterator[Any]:
    """Give the value of a context manager of the test's own; a server's or a proxy's is bounded as in `under()`."""
    with on(weather) as subject:
        is_bounded = isinstance(subject, RunningServer | FaultProxy)
        with bounded(subject, subject.fault_handles, patience) if is_bounded else nullcontext():
            yield subject
