"""The search for the smallest weather that breaks a client: `windsock.explore(test)`."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st

import windsock
from tests.exploration import clients
from tests.exploration.clients import PAIRS, Client, Pair, ReadsOnce
from windsock import ExplorationFailed, UsageError, strategies
from windsock.exploration.regression import schedule_code
from windsock.faults import Delay, Drop, Reset, Stall, Truncate

QUICK = ("ReadsOnce", "FailsInItsParser", "DoesNotWaitForTheReply")
"""Defects that show within a few examples, and not on a busy machine alone; `python -m benchmarks explore` has all."""


def found(test: Any, **options: Any) -> ExplorationFailed:
    """Return the failure of an exploration."""
    with pytest.raises(ExplorationFailed) as caught:
        windsock.explore(test, **options)
    return caught.value


def gets_a_line(server: windsock.RunningServer) -> None:
    """Is wrong under each fault that takes bytes of the reply away, or cuts it."""
    server.echo()
    with socket.create_connection(server.address, timeout=5) as client:
        client.sendall(b"hello\n")
        assert client.recv(100) == b"hello\n"


PATIENT = 3.0
"""Seconds of patience that a busy machine does not take for a hang."""
A_STALL: Any = st.lists(st.just((Stall(0), {"direction": "downstream"})), max_size=1)
RESETS = st.lists(st.tuples(st.builds(Reset, st.integers(0, 9)), strategies.selectors()), max_size=3)


@pytest.mark.parametrize(
    "pair", [each for each in PAIRS if each.wrong.__name__ in QUICK], ids=lambda pair: pair.wrong.__name__
)
def test_a_defect_is_found_and_shrunk_to_one_fault(pair: Pair) -> None:
    with pytest.raises(ExplorationFailed) as caught:
        clients.explore(pair.wrong, pair.asks, examples=300, within=50.0, patience=PATIENT)

    assert len(caught.value.weather) == 1


@pytest.mark.parametrize("pair", [PAIRS[2], PAIRS[11]], ids=lambda pair: pair.right.__name__)
def test_a_right_client_gives_no_alarm(pair: Pair) -> None:
    summary = clients.explore(pair.right, pair.asks, examples=20, within=50.0, patience=PATIENT)

    assert summary.examples > 10
    assert summary.fired


def test_the_report_has_the_weather_the_error_the_code_and_the_transcript() -> None:
    failure = found(gets_a_line, weather=RESETS, framing="lines", examples=50)

    assert failure.weather == [(Reset(0), {"connections": 0, "direction": "downstream"})]
    assert isinstance(failure.error, ConnectionResetError)
    assert failure.__cause__ is failure.error
    for part in (schedule_code(failure.weather), "ConnectionResetError", failure.code, *failure.transcript):
        assert part in str(failure)
    assert any("fault: Reset(0) downstream" in line for line in failure.transcript)


def test_the_code_is_a_test_that_fails_as_the_example_did() -> None:
    failure = found(gets_a_line, weather=RESETS, framing="lines", examples=50, patience=4.0)
    names: dict[str, Any] = {"gets_a_line": gets_a_line}

    exec(failure.code, names)

    with pytest.raises(ConnectionResetError):
        names["test_gets_a_line_under_reset"]()
    names["gets_a_line"] = lambda server: None
    names["test_gets_a_line_under_reset"]()  # once it is mended


def test_the_code_names_the_options_and_wraps_a_long_weather() -> None:
    def needs_three(server: windsock.RunningServer) -> None:
        server.echo()
        with server.connect() as client:
            client.send(b"x").expect(b"x")
        assert len([each for each in server.fault_handles if not each.is_healed]) < 3

    failure = found(needs_three, weather=st.lists(st.just((Delay(0.001), {"direction": "upstream"})), max_size=3))

    assert failure.code == (
        "import windsock\n"
        "from windsock.faults import Delay\n\n\n"
        "def test_needs_three_under_delay():\n"
        "    weather = [\n"
        '        (Delay(0.001), {"direction": "upstream"}),\n'
        '        (Delay(0.001), {"direction": "upstream"}),\n'
        '        (Delay(0.001), {"direction": "upstream"}),\n'
        "    ]\n"
        "    with windsock.serving() as server, windsock.under(weather, server):\n"
        "        needs_three(server)\n"
    )


def test_on_a_server_that_runs_the_code_takes_the_fixture(tcp_server: windsock.RunningServer) -> None:
    failure = found(gets_a_line, on=tcp_server, weather=RESETS, patience=4.0)

    assert failure.summary.fired["Reset"] >= 1
    assert "def test_gets_a_line_under_reset(tcp_server):\n" in failure.code
    assert (
        "    with windsock.under(weather, tcp_server, patience=4.0):\n        gets_a_line(tcp_server)\n" in failure.code
    )


def test_a_proxy_may_carry_the_weather() -> None:
    with windsock.serving() as server:
        server.echo()

        @contextlib.contextmanager
        def bad_line(weather: Any) -> Iterator[windsock.FaultProxy]:
            with windsock.proxy(server.address, faults=weather, strict=False) as proxy:
                yield proxy

        def through_a_proxy(proxy: windsock.FaultProxy) -> None:
            with socket.create_connection(proxy.address, timeout=None) as client:
                client.sendall(b"hello\n")
                client.recv(100)

        failure = found(through_a_proxy, on=bad_line, weather=A_STALL, patience=0.5)

    assert isinstance(failure.error, windsock.ClientHung)
    assert "    with bad_line(weather) as server:\n        through_a_proxy(server)\n" in failure.code


def test_datagrams_get_faults_of_datagrams() -> None:
    def may_get_an_echo(server: windsock.RunningServer) -> None:
        server.echo()
        with server.connect(timeout=0.05) as client, contextlib.suppress(windsock.WaitTimeout):
            client.send(b"one").expect(b"one")

    summary = windsock.explore(may_get_an_echo, transport="udp", examples=20)

    assert summary.fired
    assert summary.fired.keys() <= {"Delay", "Duplicate", "Drop", "Blackhole"}


@pytest.mark.parametrize(
    "options", [{"tls": True}, {"transport": "unix_stream"}, {"transport": "unix_seqpacket"}], ids=str
)
def test_every_kind_of_connection_has_weathers_that_suit_it(options: Any) -> None:
    def gets_an_echo(server: windsock.RunningServer) -> None:
        server.echo()
        with (
            contextlib.suppress(OSError, windsock.PeerError, windsock.WaitTimeout),
            server.connect(timeout=0.1) as client,
        ):
            client.send(b"hello").expect(b"hello")

    summary = windsock.explore(gets_an_echo, examples=20, **options)

    assert summary.fired


def test_a_client_of_asyncio_has_a_loop_in_each_example() -> None:
    async def get(address: Any) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(b"hello\n")
            return await reader.readline()
        finally:
            writer.close()

    def gets_a_line_in_a_task(server: windsock.RunningServer) -> None:
        server.echo()
        assert asyncio.run(get(server.address)) == b"hello\n"

    failure = found(gets_a_line_in_a_task, weather=A_STALL, patience=0.5)

    assert "await reader.readline()" in str(failure.error)


def test_what_fails_without_a_fault_is_raised_as_it_is() -> None:
    def fails(server: windsock.RunningServer) -> None:
        raise KeyError("k")

    with pytest.raises(KeyError) as caught:
        windsock.explore(fails)

    assert "windsock: explore(): fails fails without a fault, in the first example" in caught.value.__notes__


def test_a_failure_that_does_not_come_again_is_not_reported() -> None:
    failed: list[object] = []

    def fails_once(server: windsock.RunningServer) -> None:
        server.echo()
        with server.connect() as client:
            client.send(b"x").expect(b"x")
        if server.fault_handles and not failed:
            failed.append(server)
            raise AssertionError

    one_fault: Any = st.lists(st.just((Delay(0.001), {})), max_size=3)

    assert windsock.explore(fails_once, weather=one_fault).examples == 4
    assert failed


def test_pytests_own_failures_count() -> None:
    def fails_in_bad_weather(server: windsock.RunningServer) -> None:
        server.echo()
        with server.connect() as client:
            client.send(b"x").expect(b"x")
        if server.fault_handles:
            pytest.fail("too wet")

    failure = found(fails_in_bad_weather, weather=st.lists(st.just((Delay(0.001), {})), max_size=3))

    assert failure.weather == [(Delay(0.001), {})]
    assert "too wet" in str(failure)


def test_ctrl_c_ends_an_exploration() -> None:
    def interrupted(server: windsock.RunningServer) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        windsock.explore(interrupted)


def weathers_of(seed: int) -> list[str]:
    drawn: list[str] = []

    @contextlib.contextmanager
    def keeps(weather: Any) -> Iterator[None]:
        drawn.append(repr(weather))
        yield

    windsock.explore(lambda _: None, on=keeps, examples=20, seed=seed)
    return drawn


def test_the_same_seed_draws_the_same_weathers() -> None:
    assert weathers_of(1) == weathers_of(1)
    assert weathers_of(1) != weathers_of(2)


def test_each_weather_is_tried_once() -> None:
    drawn = weathers_of(3)

    assert len(drawn) == len(set(drawn))


def test_the_time_bounds_an_exploration() -> None:
    def is_quick(server: windsock.RunningServer) -> None:
        with server.connect():
            pass

    summary = windsock.explore(is_quick, examples=1_000_000, within=0.1)

    assert 1 <= summary.examples < 1_000_000
    assert str(summary).startswith(f"{summary.examples} example")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_far_it_is_and_nothing_is_left_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    found(gets_a_line, weather=RESETS)

    assert "\rwindsock: gets_a_line: 1%, 1 of 100 examples" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_pipe_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    clients.explore(Client, clients.gets_values, examples=3, patience=PATIENT)

    assert capfd.readouterr() == ("", "")


async def waits(server: windsock.RunningServer) -> None:
    """Cannot be explored as it is."""


@pytest.mark.parametrize(
    ("test", "options", "said"),
    [
        (waits, {}, "an async one within asyncio.run()"),
        ("hello", {}, "explore('hello'): expected a function"),
        (lambda _: None, {}, "made no connection in its first example"),
        (print, {"examples": 0}, "examples=0"),
        (print, {"within": -1}, "within=-1"),
        (print, {"patience": 0}, "patience=0"),
        (print, {"seed": "x"}, "seed='x'"),
        (print, {"on": "hello"}, "on='hello'"),
        (print, {"on": print, "framing": "lines"}, 'framing="lines"'),
        (print, {"frames": "lines"}, "frames"),
        (clients.asked(Client, clients.gets_values), {"weather": st.just([(Drop(1), {})])}, "acts on datagram"),
        (print, {"weather": [Drop(1)]}, "weather=[Drop(1)]"),
    ],
)
def test_a_value_that_cannot_work_is_named(test: Any, options: Any, said: str) -> None:
    with pytest.raises((UsageError, TypeError)) as caught:
        windsock.explore(test, **options)

    assert said in str(caught.value)


def test_the_server_of_a_fixture_is_as_before(tcp_server: windsock.RunningServer) -> None:
    cuts = st.lists(st.just((Truncate(2), {"direction": "downstream"})), max_size=1)
    found(gets_a_line, on=tcp_server, weather=cuts)

    tcp_server.echo()
    with tcp_server.connect() as client:
        client.send(b"hello").expect(b"hello")


def test_a_class_of_its_own_may_be_explored() -> None:
    class Explored:
        def __call__(self, server: windsock.RunningServer) -> None:
            clients.asked(ReadsOnce, clients.gets_values)(server)

    assert "Explored fails under" in str(found(Explored(), framing="lines", patience=PATIENT))
