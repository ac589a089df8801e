"""freezegun and time-machine: servers, clients, waits and certificates go by the real clock."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Any

import pytest

import windsock
from tests.neighbours import scenarios
from tests.neighbours.conftest import Run, RunAfter
from tests.support import handlers

freezegun = pytest.importorskip("freezegun", reason="freezegun is not installed")
time_machine = pytest.importorskip("time_machine", reason="time-machine is not installed")

PAST = "2019-01-01"
TOOLS: dict[str, Callable[[], Any]] = {
    "freezegun": lambda: freezegun.freeze_time(PAST),
    "freezegun-tick": lambda: freezegun.freeze_time(PAST, tick=True),
    "time-machine": lambda: time_machine.travel(PAST, tick=False),
    "time-machine-tick": lambda: time_machine.travel(PAST, tick=True),
}


TICKING = ("fake-tcp", "relay-tcp", "trio-tcp", "wait_that_times_out-tcp")


@pytest.mark.parametrize(
    ("tool", "name"), [(tool, name) for tool in TOOLS for name in (TICKING if "tick" in tool else scenarios.ALL)]
)
def test_everything_works_at_another_time(tool: str, name: str) -> None:
    with TOOLS[tool]():
        assert datetime.datetime.now().year == 2019

        scenarios.ALL[name]()


@pytest.mark.parametrize(
    "activation",
    [
        f"import freezegun; freezegun.freeze_time({PAST!r}).start()",
        f"import time_machine; time_machine.travel({PAST!r}, tick=False).start()",
    ],
)
def test_everything_works_where_time_has_stopped_before_the_import(activation: str, run_after: RunAfter) -> None:
    assert run_after(activation) == ""


def test_a_server_that_was_started_before_answers_while_time_stands_still() -> None:
    with windsock.serving(handlers.echo_stream, concurrency="trio") as server, freezegun.freeze_time(PAST):
        scenarios.converse(server)


def test_certificates_made_while_time_stands_still_do_not_spoil_later_ones(run: Run) -> None:
    """cryptography keeps the class `datetime.datetime` that it finds at its first use."""
    result = run(
        """
        import freezegun, pytest, windsock

        @pytest.mark.windsock(tls=True)
        @freezegun.freeze_time("2019-01-01")
        def test_first(tcp_server):
            tcp_server.echo()
            with tcp_server.connect() as client:
                client.send(b"x").expect(b"x")

        def serve_with(certificate):
            with windsock.serving(tls=True, certificate=certificate, strict=False) as server:
                with server.connect() as client:
                    assert client.outcome.startswith("TLS failed")

        @freezegun.freeze_time("2019-01-01")
        def test_second():
            serve_with("expired")

        def test_third():
            serve_with("self_signed")

        @freezegun.freeze_time("2019-01-01")
        def test_fourth():
            serve_with("not_yet_valid")
        """,
        "-p",
        "no:randomly",
    )

    result.assert_outcomes(passed=4)


def test_handlers_see_the_frozen_time() -> None:
    def tell_the_time(request: Any, address: Any, server: Any) -> None:
        request.sendall(b"%d\n" % time.gmtime().tm_year)

    with windsock.serving(tell_the_time) as server, freezegun.freeze_time(PAST), server.connect() as client:
        client.expect(b"2019\n")


def test_a_frozen_test_ends_by_itself_before_pytest_timeout_ends_it(run: Run) -> None:
    """It is frozen when its time begins, and no more when windsock is told how much is left, or the other way round."""
    result = run(
        """
        import freezegun, pytest, windsock

        @pytest.fixture
        def frozen():
            with freezegun.freeze_time("2019-01-01"):
                yield

        @pytest.mark.timeout(4)
        @pytest.mark.parametrize("names", [("frozen", "tcp_server"), ("tcp_server", "frozen")])
        def test_it(names, request):
            for name in names:
                request.getfixturevalue(name)
            with pytest.raises(windsock.WaitTimeout):
                request.getfixturevalue("tcp_server").requests.wait(1, timeout=60)

        @freezegun.freeze_time("2019-01-01")
        @pytest.mark.windsock(tls=True)
        def test_decorated(tcp_server):
            tcp_server.echo()
            with tcp_server.connect() as client:
                client.send(b"x").expect(b"x")
        """
    )

    result.assert_outcomes(passed=3)
