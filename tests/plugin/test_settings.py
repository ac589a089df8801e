"""Settings, other plugins, and what it costs not to be used."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run


def ini(pytester: pytest.Pytester, name: str, value: str) -> None:
    pytester.makeini(f"[pytest]\n{name} = {value}\n")


def test_the_ini_value_bounds_waits(run: Run, pytester: pytest.Pytester) -> None:
    ini(pytester, "windsock_timeout", "0.05")

    result = run(
        """
        def test_it(tcp_server):
            assert tcp_server.options.timeout == 0.05
            tcp_server.requests.wait()
        """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RequestTimeout: waited 0.05 s for 1 complete request, got 0; recorded:"])


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf"])
def test_a_bad_ini_value_is_a_usage_error(value: str, run: Run, pytester: pytest.Pytester) -> None:
    ini(pytester, "windsock_timeout", value)

    result = run("def test_it(tcp_server): pass")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: windsock_timeout = '{value}': expected seconds, more than 0"])


def test_help_names_the_ini_value(run: Run) -> None:
    result = run("", "--help")

    result.stdout.fnmatch_lines(["*windsock_timeout (string):*", "*seconds that a server's stop and a wait*"])


def test_it_works_under_xdist(run_apart: Run) -> None:
    result = run_apart(
        """
        import pytest, socket

        @pytest.mark.parametrize("number", range(8))
        def test_it(tcp_server, number):
            tcp_server.echo()
            with socket.create_connection(tcp_server.address) as client:
                client.sendall(b"x")
                assert client.recv(1) == b"x"
            assert number != 5
        """,
        "-p",
        "xdist",
        "-n",
        "2",
    )

    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["*windsock: tcp_server, ThreadingTCPServer on *, 1 connection*", "*> 1 B b'x'"])


def test_a_run_of_its_own_is_free_of_warnings(run_apart: Run) -> None:
    result = run_apart(
        """
        import socket

        def test_it(forking_tcp_server, threading_udp_server, sync_unix_stream_server):
            forking_tcp_server.echo()
            with socket.create_connection(forking_tcp_server.address) as client:
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        """
    )

    result.assert_outcomes(passed=1, warnings=0)
    assert result.stderr.str() == ""


ALONE = [f"-pno:{each}" for each in ("xdist", "socket", "fakefs", "time_machine")]
"""Without plugins that import much themselves."""


def test_nothing_heavy_is_imported_before_a_fixture_asks(run_apart: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import sys

        HEAVY = ["windsock", "trio", "ssl", "asyncio", "socketserver", "greenlet"]

        def pytest_collection_finish():
            print("imported:", [name for name in HEAVY if name in sys.modules])
        """
    )
    result = run_apart("def test_it(tcp_server): pass", "--collect-only", "-s", *ALONE)

    result.stdout.fnmatch_lines(["*imported: []"])


def test_neither_trio_nor_ssl_is_imported_for_a_fixture(run_apart: Run) -> None:
    result = run_apart(
        """
        import sys

        def test_it(tcp_server):
            assert "windsock" in sys.modules
            assert [name for name in ("trio", "ssl", "asyncio", "socketserver") if name in sys.modules] == []
        """,
        *ALONE,
    )

    result.assert_outcomes(passed=1)
