"""Settings, other plugins, and what it costs not to be used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import product

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


@pytest.mark.parametrize(
    ("name", "expected", "value"),
    [
        *product(["windsock_timeout"], ["seconds, more than 0"], ["soon", "0", "-1", "nan", "inf"]),
        *product(["windsock_idle_threads"], ["a whole number, 0 or more"], ["some", "-1", "1.5", "nan"]),
    ],
)
def test_a_bad_ini_value_is_a_usage_error(
    name: str, expected: str, value: str, run: Run, pytester: pytest.Pytester
) -> None:
    ini(pytester, name, value)

    result = run("def test_it(): pass")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {name}: expected {expected}; *{value}*"])


VALUES = """
    def test_it(tcp_server, pytestconfig):
        assert tcp_server.options.timeout == 0.5
        assert int(pytestconfig.getini("windsock_idle_threads")) == 1
    """


@pytest.mark.parametrize("values", ["0.5, 1", "'0.5', '1'"], ids=["numbers", "strings"])
def test_ini_values_may_be_in_pyproject_toml(values: str, run: Run, pytester: pytest.Pytester) -> None:
    seconds, threads = values.split(", ")
    pytester.makepyprojecttoml(
        f"[tool.pytest.ini_options]\nwindsock_timeout = {seconds}\nwindsock_idle_threads = {threads}\n"
    )

    run(VALUES).assert_outcomes(passed=1)


has_native_toml = pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="native TOML came with pytest 9")


@has_native_toml
def test_ini_values_are_numbers_in_native_toml(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml("[tool.pytest]\nwindsock_timeout = 0.5\nwindsock_idle_threads = 1\n")

    run(VALUES).assert_outcomes(passed=1)


@has_native_toml
@pytest.mark.parametrize("value", ["true", "'5'", "0", "-0.5", "nan", "inf", "[5]"])
def test_what_is_no_duration_in_native_toml_is_a_usage_error(value: str, run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(f"[tool.pytest]\nwindsock_timeout = {value}\n")

    result = run("def test_it(): pass")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: windsock_timeout: expected seconds, more than 0; *"])


def test_the_ini_value_may_be_longer_than_any_wait(run_apart: Run, pytester: pytest.Pytester) -> None:
    ini(pytester, "windsock_timeout", "1e300")

    result = run_apart(
        """
        def test_it(tcp_server):
            tcp_server.echo()
            with tcp_server.connect() as client:
                client.send(b"x").expect(b"x")
            tcp_server.requests.only()
        """,
        "-p",
        "no:timeout",  # which would bound all waits
    )

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("autoload", [True, False], ids=["autoload", "alone"])
@pytest.mark.parametrize("how", ["-p pytest_windsock", "conftest"])
def test_the_package_s_name_loads_the_plugin(
    how: str, autoload: bool, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not autoload:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    if how == "conftest":
        pytester.makeconftest("pytest_plugins = ['pytest_windsock']")
    pytester.makepyfile("def test_it(tcp_server): pass")
    options = how.split() if how != "conftest" else []

    pytester.runpytest_subprocess(*options).assert_outcomes(passed=1)


def test_a_failure_is_reported_without_the_terminal_plugin(run_apart: Run) -> None:
    result = run_apart("def test_it(tcp_server): tcp_server.requests.wait(timeout=0.01)", "-p", "no:terminal")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_help_names_the_ini_value(run: Run) -> None:
    result = run("", "--help")

    result.stdout.fnmatch_lines(["*windsock_timeout (*):*", "*seconds that a server's stop and a wait*"])


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


HEAVY = ("windsock", "trio", "ssl", "asyncio", "socketserver", "greenlet")


def not_imported_by_pdb(names: Sequence[str]) -> list[str]:
    """Return those of the names that pytest does not import anyway, with pdb, on this version of Python."""
    code = "import pdb, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    return [name for name in names if name not in found.split()]


def test_nothing_heavy_is_imported_before_a_fixture_asks(run_apart: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        f"""
        import sys

        HEAVY = {not_imported_by_pdb(HEAVY)}

        def pytest_collection_finish():
            print("imported:", [name for name in HEAVY if name in sys.modules])
        """
    )
    result = run_apart("def test_it(tcp_server): pass", "--collect-only", "-s", "-pno:xdist")

    result.stdout.fnmatch_lines(["*imported: []"])


def test_neither_trio_nor_ssl_is_imported_for_a_fixture(run_apart: Run) -> None:
    result = run_apart(
        f"""
        import sys

        def test_it(tcp_server):
            assert "windsock" in sys.modules
            assert [name for name in {not_imported_by_pdb(("trio", "ssl", "asyncio", "socketserver"))}
                    if name in sys.modules] == []
        """,
        "-pno:xdist",
    )

    result.assert_outcomes(passed=1)
