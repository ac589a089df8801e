"""`any_server`: one item for each combination."""

from __future__ import annotations

import pytest

TALK = """
import socket

import pytest


def talk(server):
    family = socket.AF_UNIX if server.options.is_unix else socket.AF_INET
    kind = socket.SOCK_DGRAM if server.options.is_datagram else socket.SOCK_STREAM
    with socket.socket(family, kind) as client:
        client.settimeout(5)
        if server.options.transport == "unix_datagram":
            client.bind("")
        client.connect(server.address)
        client.send(b"x")
        assert client.recv(10) == b"x"
"""


def ids(result: pytest.RunResult) -> list[str]:
    return [line.partition("[")[2].partition("]")[0] for line in result.outlines if "::test_" in line]


def test_a_test_runs_on_every_plain_combination(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        TALK
        + """
@pytest.mark.windsock(tls=False)
def test_all(any_server):
    any_server.echo()
    talk(any_server)
"""
    )

    result = pytester.runpytest_subprocess("-v", "-W", "error", "--timeout", "30")

    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed"}
    assert ids(result)[0] == "tcp-sync"
    assert {"udp-threading", "unix_stream-forking", "unix_datagram-sync"} <= set(ids(result))


def test_the_marker_filters(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        TALK
        + """
@pytest.mark.windsock(transports="stream", concurrency=["forking", "sync"], tls=False)
def test_some(any_server):
    any_server.echo()
    talk(any_server)
"""
    )

    result = pytester.runpytest_subprocess("-v", "--timeout", "30")

    result.assert_outcomes(passed=4)
    assert ids(result) == ["tcp-sync", "tcp-forking", "unix_stream-sync", "unix_stream-forking"]


def test_all_workers_have_the_same_items_in_the_same_order(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        TALK
        + """
@pytest.mark.windsock(concurrency={"threading", "sync"}, transports={"udp", "tcp"}, tls=False)
def test_some(any_server):
    any_server.echo()
    talk(any_server)
"""
    )

    result = pytester.runpytest_subprocess("-n", "2", "--timeout", "30")

    result.assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("transports='sctp'", "transports='sctp': expected one or a list of 'tcp', 'udp', 'unix_stream'"),
        ("concurrency=['green']", "concurrency=['green']: expected one or a list of 'sync'"),
        ("tls='maybe'", "tls='maybe': for any_server expected True, False, or None for both"),
        ("flavour=1", "has no keyword 'flavour'; there are: "),
    ],
)
def test_a_filter_that_does_not_exist_is_a_usage_error(pytester: pytest.Pytester, marker: str, message: str) -> None:
    pytester.makepyfile(
        f"""
import pytest


@pytest.mark.windsock({marker})
def test_some(any_server):
    pass
"""
    )

    result = pytester.runpytest_subprocess()

    assert result.ret != 0
    assert message in result.stdout.str() + result.stderr.str()


def test_a_filter_on_a_test_of_one_server_is_a_usage_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import pytest


@pytest.mark.windsock(transports="stream")
def test_one(tcp_server):
    pass
"""
    )

    result = pytester.runpytest_subprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*@pytest.mark.windsock(transports=...) is for tests that use any_server"])
