"""The marker: what the fixtures of a test serve, checked before the first test runs."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run
from windsock.harness import CONCURRENCIES, OPTION_NAMES


@pytest.mark.parametrize(
    ("fixture", "marker", "check"),
    [
        ("tcp_server", "handler=Shouting", "server.options.handler is Shouting"),
        ("tcp_server", "concurrency='forking'", "type(server.server).__name__ == 'ForkingTCPServer'"),
        ("serve", "transport='udp'", "type(server().server).__name__ == 'ThreadingUDPServer'"),
        ("tcp_server", "server_class=Mine", "type(server.server) is Mine"),
        ("tcp_server", "framing='lines'", "str(server.options.framing) == 'Lines()'"),
        ("tcp_server", "host='::1'", "server.host == '::1'"),
        ("tcp_server", "port=0", "server.port > 0"),
        ("unix_stream_server", "path='\\0marked'", "server.path == '\\0marked'"),
        ("tcp_server", "backlog=3", "server.server.request_queue_size == 3"),
        ("tcp_server", "strict=False", "server.strict is False"),
        ("tcp_server", "timeout=1.5", "server.options.timeout == 1.5"),
        ("tcp_server", "host='0.0.0.0', allow_external=True", "server.host == '0.0.0.0'"),
        ("serve", "name='the mill'", "server().name == 'the mill'"),
    ],
)
def test_each_keyword_works(fixture: str, marker: str, check: str, run: Run) -> None:
    result = run(
        f"""
        import pytest
        from windsock import servers

        class Shouting(servers.BaseRequestHandler): pass
        class Mine(servers.ThreadingMixIn, servers.TCPServer): pass

        @pytest.mark.windsock({marker})
        def test_it({fixture}):
            server = {fixture}
            assert {check}
        """
    )

    result.assert_outcomes(passed=1)


KEYS = ", ".join(sorted({*OPTION_NAMES, "against", "artifacts", "cassette", "simulated", "tcp_handler", "udp_handler"}))
EVERY_CONCURRENCY = ", ".join(map(repr, CONCURRENCIES))


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("colour='red'", f"@pytest.mark.windsock has no keyword 'colour'; there are: {KEYS}"),
        ("'tcp'", "@pytest.mark.windsock('tcp',): it takes keywords only: handler=..."),
        (
            "transport='sctp'",
            "@pytest.mark.windsock: transport='sctp': expected one of 'tcp', 'udp', 'unix_stream', 'unix_datagram', *",
        ),
        ("concurrency='fibers'", f"@pytest.mark.windsock: concurrency='fibers': expected one of {EVERY_CONCURRENCY}"),
        ("handler=42", "@pytest.mark.windsock: handler=42 is no request handler; *"),
        ("port='x'", "@pytest.mark.windsock: port='x': expected a whole number"),
        ("timeout='x'", "@pytest.mark.windsock: timeout='x': expected seconds, more than 0"),
        ("framing=3.5", "@pytest.mark.windsock: framing=3.5: expected 'lines', *"),
        ("host='example.org'", "@pytest.mark.windsock: host='example.org' can be reached from other machines; *"),
    ],
)
def test_what_a_marker_cannot_say_is_a_usage_error(marker: str, message: str, run: Run) -> None:
    result = run(
        f"""
        import pytest

        def test_fine(): pass

        @pytest.mark.windsock({marker})
        def test_it(tcp_server): pass
        """
    )

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *::test_it: {message.replace('[', '[[]')}"])


def test_a_marker_that_contradicts_its_fixture_is_told_so(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.windsock(concurrency="sync")
        def test_it(forking_tcp_server): pass
        """
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E   windsock.errors.UsageError: the marker says concurrency='sync', but the fixture forking_tcp_server is "
            "'forking'; leave concurrency= out, or ask for another fixture"
        ]
    )


def test_the_marker_closest_to_the_test_wins(run: Run) -> None:
    result = run(
        """
        import pytest

        pytestmark = pytest.mark.windsock(concurrency="sync", timeout=1, backlog=1)

        @pytest.mark.windsock(concurrency="forking", timeout=2)
        class TestIt:
            @pytest.mark.windsock(concurrency="threading")
            def test_it(self, tcp_server):
                options = tcp_server.options
                assert (options.concurrency, options.timeout, options.backlog) == ("threading", 2, 1)

            def test_the_class(self, tcp_server):
                assert tcp_server.options.concurrency == "forking"

        def test_the_module(tcp_server):
            assert tcp_server.options.concurrency == "sync"
        """
    )

    result.assert_outcomes(passed=3)


def test_the_marker_is_registered_and_explained(run: Run) -> None:
    result = run("", "--markers")

    result.stdout.fnmatch_lines(
        ["@pytest.mark.windsock(*, handler=None, concurrency=..., framing=..., strict=True, ...): *"]
    )


def test_it_passes_strict_markers(run: Run) -> None:
    code = """
        import pytest

        @pytest.mark.windsock(strict=False)
        def test_it(tcp_server): pass
        """
    run(code, "--strict-markers").assert_outcomes(passed=1)


def test_what_a_marker_says_is_for_the_tests_under_it(run: Run) -> None:
    result = run(
        """
        import pytest

        pytestmark = pytest.mark.windsock(timeout=3)
        wide = pytest.mark.windsock(backlog=7)

        def of(server):
            return server.options.timeout, server.options.backlog

        def test_module(tcp_server):
            assert of(tcp_server) == (3, 128)

        @wide
        def test_two(tcp_server):
            assert of(tcp_server) == (3, 7)

        @wide
        def test_two_again(tcp_server, udp_server):
            assert of(tcp_server) == of(udp_server) == (3, 7)

        @pytest.mark.windsock(timeout=4)
        def test_its_own(tcp_server):
            assert of(tcp_server) == (4, 128)

        def test_module_again(tcp_server):
            assert of(tcp_server) == (3, 128)
        """
    )

    result.assert_outcomes(passed=5)
