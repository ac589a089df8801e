"""The fixtures, all from one place: a server for each transport, one for each exact combination, and factories.

What they do is elsewhere (`starting`), since each run of pytest pays for what is here, whether it uses them or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_windsock.factories import Cassettes, Connect, Divert, Proxies, RealServers, Serve
    from pytest_windsock.verdict import Verdict
    from windsock import Diversion, RealServer, RunningPair, RunningServer, World
    from windsock.harness import ThreadPool
    from windsock.proxies.proxy import FaultProxy
    from windsock.security import RunAuthority

__all__ = ["ALL", "SCOPED", "SHARED", "State", "are_among", "close", "is_supported"]


TRANSPORTS = {
    "tcp": "TCP streams",
    "udp": "UDP datagrams",
    "unix_stream": "Unix stream sockets",
    "unix_datagram": "Unix datagram sockets",
    "unix_seqpacket": "Unix sockets with records",
}
CONCURRENCIES = {
    "sync": "one request after the other",
    "threading": "a thread for each request",
    "forking": "a process for each request",
    "selecting": "a turn in one select loop for each request",
    "trio": "a trio task for each request",
}


OF_A_TEST = (
    *("item", "servers", "others", "conclusions", "lines", "marks", "shown", "diversions"),
    *("programs", "output_shown"),
    *("has_failed", "has_raised", "has_hung", "is_in_body", "began", "part_began"),
)
"""The attributes of `State` that are of one test."""


class State:
    """State of one run: the test that is running, and idle threads for its servers."""

    item: pytest.Item
    servers: list[RunningServer | FaultProxy] = []  # noqa: RUF012  # there is one of it
    """The servers and proxies that this test has used, running or stopped."""
    others: list[RunningServer | FaultProxy] = []  # noqa: RUF012  # likewise
    """Those that are not of fixtures and have run during this test, once it has failed."""
    began = 0.0
    """The monotonic time at which this test began."""
    part_began = 0.0
    """The monotonic time at which a part of it, such as a subtest, has failed."""
    is_in_body = False
    """Whether the body of a test is running: a failure that is reported then is a part of the test's."""
    has_failed = False
    """Whether a phase of the test that is running has failed."""
    has_raised = False
    """Whether it, or a part of it, did not pass: it has failed, or was skipped on the way."""
    is_interrupted = False
    """Whether the run ends now, with fixtures whose test was interrupted: they are torn down outside of any test."""
    was_interrupted_late = False
    """Whether Ctrl-C came while a report was made: the run ends after the test."""
    has_hung = False
    """Whether the watch has ended a phase of it."""
    conclusions: list[str] = []  # noqa: RUF012  # likewise
    """What was concluded from the failure of this test."""
    verdict: Verdict | None = None
    """What it was failed with for what handlers of its servers have raised, until it is in a report."""
    lines: list[FaultProxy] = []  # noqa: RUF012  # likewise
    """The private lines of scripted clients with faults, which are recorded."""
    marks: list[tuple[float, str]] = []  # noqa: RUF012  # likewise
    """When the body of this test ended, for its transcript, in monotonic seconds..."""
    shown: list[str] = []  # noqa: RUF012  # likewise
    """...and the lines of it that a report has shown."""
    diversions: list[Diversion] = []  # noqa: RUF012  # likewise
    """What the fixture `divert` diverts for this test."""
    programs: list[RealServer] = []  # noqa: RUF012  # likewise
    """The real programs that this test has used, running or stopped..."""
    output_shown = 0.0
    """...and the monotonic time at which a report has shown their output last."""
    clock: Callable[[], float] = partial(time.monotonic)
    """What tells the time of marks: the real monotonic clock, or that of the test's world."""
    thread_pool: ThreadPool | None = None
    known: dict[tuple[Any, ...], tuple[list[pytest.Mark], Callable[..., RunningServer]]] = {}  # noqa: RUF012  # likewise
    """What a fixture serves in a run under the same markers (which are kept, as they are known by their ids)."""

    @classmethod
    def begin(cls, time: float) -> None:
        """Forget what there was of an earlier test, or of an earlier run of this one."""
        cls.servers, cls.others, cls.conclusions = [], [], []
        cls.lines, cls.marks, cls.shown, cls.diversions, cls.programs = [], [], [], [], []
        cls.has_failed, cls.has_hung, cls.is_in_body, cls.began, cls.part_began = False, False, False, time, 0.0
        cls.has_raised, cls.output_shown = False, 0.0

    @classmethod
    def saved(cls) -> dict[str, Any]:
        """Return what is known of the test that runs: a test may run others in its process."""
        return {name: getattr(cls, name) for name in OF_A_TEST if hasattr(cls, name)}

    @classmethod
    def restore(cls, saved: dict[str, Any]) -> None:
        """Undo what another test has changed since."""
        for name, value in saved.items():
            setattr(cls, name, value)


def is_supported() -> bool:
    """Return whether windsock can be imported here; where it cannot, each of its fixtures says why."""
    try:
        import windsock  # noqa: F401
    except ImportError:
        return False
    return True


def close() -> None:
    """End the idle threads."""
    thread_pool, State.thread_pool, State.is_interrupted = State.thread_pool, None, False
    State.known.clear()
    if thread_pool is not None:
        thread_pool.close()


def _fixture(name: str, doc: str, **fixed: str) -> Any:
    def fixture() -> Iterator[RunningServer]:
        __tracebackhide__ = True
        from pytest_windsock import starting, verdict

        server = starting.one(name, fixed)
        try:
            yield server
        finally:
            verdict.finish([server])

    fixture.__name__ = fixture.__qualname__ = name
    fixture.__doc__ = doc
    return pytest.fixture(name=name)(fixture)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Factory of servers: serve(MyHandler), serve(MyServer, MyHandler), serve(transport="udp", ...)."""
    __tracebackhide__ = True
    from pytest_windsock import starting

    yield from starting.servers()


@pytest.fixture
def scripted_client() -> Iterator[Connect]:
    """Factory of scripted clients: scripted_client(address), with transport=, tls=, source=, timeout=, ..."""
    __tracebackhide__ = True
    from pytest_windsock import starting

    yield from starting.clients()


@pytest.fixture
def fault_proxy() -> Iterator[Proxies]:
    """Factory of proxies: fault_proxy(address), with transport=, faults=, framing=, timeout=, ..."""
    __tracebackhide__ = True
    from pytest_windsock import starting

    yield from starting.proxies()


@pytest.fixture
def tcp_udp_server() -> Iterator[RunningPair]:
    """A server over TCP and one over UDP on the same port; fakes, unless marked with tcp_handler= or udp_handler=."""
    __tracebackhide__ = True
    from pytest_windsock import starting

    yield from starting.pair()


@pytest.fixture
def divert() -> Iterator[Divert]:
    """Factory of diversions, until the end of the test: divert({"api.example:443": server}, others="refuse")."""
    __tracebackhide__ = True
    from pytest_windsock import starting

    yield from starting.diversions()


@pytest.fixture
def cassette() -> Iterator[Cassettes]:
    """Factory of recorded servers: cassette(address) is replayed from a file, or recorded (--windsock-cassettes)."""
    __tracebackhide__ = True
    from pytest_windsock import cassettes

    yield from cassettes.cassettes()


@pytest.fixture
def real_server() -> Iterator[RealServers]:
    """Factory of real programs, until the end of the test: real_server(["redis-server", "--port", "{port}"])."""
    __tracebackhide__ = True
    from pytest_windsock import programs

    yield from programs.real_servers()


@pytest.fixture
def windsock_seed(request: pytest.FixtureRequest) -> int:
    """Return the test's own seed, of the run's (--windsock-seed) and its node id: for `seed=`, and random data."""
    from pytest_windsock import seeds

    return seeds.seed_of_test(request.node)


@pytest.fixture
def world(request: pytest.FixtureRequest) -> World:
    """The simulated world of a test marked with `simulated=True`: its time, and the way out of it."""
    from pytest_windsock import simulated

    return simulated.world_of(request.node)


@pytest.fixture(scope="session")
def windsock_ca() -> RunAuthority:
    """The run's certificate authority: pem and pem_file to trust, issue("name"), revoke(), configure_trust(context)."""
    from windsock.security import RunAuthority

    return RunAuthority()


@pytest.fixture
def any_server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server of every kind, one test item each; the marker chooses: transports=, concurrency=, tls=.

    Servers of records (`unix_seqpacket`) only if `transports=` names them.
    """
    __tracebackhide__ = True
    from pytest_windsock import starting, verdict

    server = starting.one("any_server", request.param.options())
    try:
        yield server
    finally:
        verdict.finish([server])


def _all() -> dict[str, Any]:
    fixtures: dict[str, Any] = {
        "serve": serve,
        "scripted_client": scripted_client,
        "fault_proxy": fault_proxy,
        "tcp_udp_server": tcp_udp_server,
        "divert": divert,
        "cassette": cassette,
        "real_server": real_server,
        "windsock_seed": windsock_seed,
        "windsock_ca": windsock_ca,
        "world": world,
        "any_server": any_server,
    }
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
SCOPED: set[str] = set()
"""The names of the fixtures that `pytest_windsock.fixture` has made."""
SHARED: set[str] = set()
"""Those of programs that all workers of a run share."""


def are_among(names: Iterable[str]) -> bool:
    """Return whether fixtures of ours are among those with these names."""
    return any(name in ALL or name in SCOPED for name in names)
