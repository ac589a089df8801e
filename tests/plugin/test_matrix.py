"""`any_server`: one item for each combination."""

from __future__ import annotations

import pytest

TALK = """
import pytest
from windsock.testing import client_of


def talk(server):
    with client_of(server) as client:
        client.send(b"x")
        assert client.recv(10) == b"x"
    assert server.requests.only().data == b"x"
"""


def ids(result: pytest.RunResult) -> list[str]:
    return [line.partition("[")[2].partition("]")[0] for line in result.outlines if "::test_" in line]


def test_a_test_runs_on_every_combination(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        TALK
        + """
def test_all(any_server):
    any_server.echo()
    talk(any_server)
"""
    )

    result = pytester.runpytest_subprocess("-v", "-W", "error", "--timeout", "30")

    result.assert_outcomes(passed=30)
    assert ids(result)[:3] == ["tcp-sync", "tcp-sync-tls", "tcp-threading"]
    assert {"udp-trio", "unix_stream-selecting-tls", "unix_datagram-forking"} <= set(ids(result))


@pytest.mark.parametrize("marker", ["", "@pytest.mark.windsock(strict=False)"])
def test_an_item_runs_on_the_combination_that_its_name_says(pytester: pytest.Pytester, marker: str) -> None:
    pytester.makepyfile(
        f"""
import pytest

{marker}
def test_it(any_server, request):
    options = any_server.options
    tls = "-tls" if options.encryption else ""
    name = f"{{options.transport}}-{{options.concurrency}}{{tls}}"
    assert request.node.name == f"test_it[{{name}}]"
"""
    )

    result = pytester.runpytest_subprocess("--timeout", "30")

    result.assert_outcomes(passed=30)


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


def test_records_are_in_the_matrix_where_they_are_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import pytest


@pytest.mark.windsock(transports="record", concurrency=["selecting", "sync"])
def test_some(any_server):
    with any_server.echo().connect() as client:
        client.send(b"one").send(b"two").expect(b"one").expect(b"two")
"""
    )

    result = pytester.runpytest("-v")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*unix_seqpacket-sync*", "*unix_seqpacket-selecting*"])


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
        ("tls='maybe'", "tls='maybe': for any_server expected True, 'mutual', False, or None for both"),
        ("transport='udp'", "transport='udp': any_server stands for several; name them with transports="),
        ("server_class=socketserver.TCPServer", "server_class=TCPServer: any_server stands for several classes; "),
        (
            "handler=socketserver.StreamRequestHandler, transports='datagram'",
            "handler=StreamRequestHandler reads a stream, and transport='udp' carries datagrams",
        ),
        ("flavour=1", "has no keyword 'flavour'; there are: "),
    ],
)
def test_a_filter_that_does_not_exist_is_a_usage_error(pytester: pytest.Pytester, marker: str, message: str) -> None:
    pytester.makepyfile(
        f"""
import socketserver

import pytest


@pytest.mark.windsock({marker})
def test_some(any_server):
    pass
"""
    )

    result = pytester.runpytest_subprocess()

    assert result.ret != 0
    shown = result.stdout.str() + result.stderr.str()
    assert message in shown
    assert "pluggy" not in shown.partition("rootdir")[2].partition("plugins")[2]


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


@pytest.mark.parametrize(("kind", "count"), [("Stream", 20), ("Datagram", 10), ("Base", 30)])
def test_the_class_of_the_handler_chooses_the_transports(pytester: pytest.Pytester, kind: str, count: int) -> None:
    pytester.makepyfile(
        f"""
import socketserver

import pytest


@pytest.mark.windsock(handler=socketserver.{kind}RequestHandler)
def test_some(any_server):
    pass
"""
    )

    result = pytester.runpytest_subprocess("--collect-only", "-q")

    assert len([each for each in result.outlines if "::test_some[" in each]) == count


def test_mix_ins_are_on_every_kind(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import pytest


class MarkedMixIn:
    is_marked = True


@pytest.mark.windsock(mixins=[MarkedMixIn], concurrency=["threading", "trio"])
def test_some(any_server):
    assert any_server.server.is_marked
    assert "Marked" in type(any_server.server).__name__
"""
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=12)
