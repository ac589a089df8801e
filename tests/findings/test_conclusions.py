"""How many findings are shown, in which order, and where; and that none of them can do harm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import windsock
from tests.findings.conftest import Conclude
from tests.plugin.conftest import Run
from windsock.findings import conclusions, findings_for
from windsock.findings.facts import Case, Finding


def test_three_are_shown_the_most_probable_first_and_one_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(case: Case) -> Iterator[Finding]:
        yield Finding(10, "e", ("server", 4))
        yield Finding(40, "b", ("server", 1))
        yield Finding(50, "a", ("server", 0))
        yield Finding(30, "c", ("server", 0))
        yield Finding(20, "d", ("server", 3))

    monkeypatch.setattr(conclusions, "ALL", (find,))

    found = conclusions.findings_in(Case(servers=()))

    assert [each.sentence for each in found] == ["a", "b", "d"]


def test_a_finding_that_raises_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: Case) -> Iterator[Finding]:
        yield Finding(10, "first", ("server", 0))
        raise LookupError("broken")

    def whole(case: Case) -> Iterator[Finding]:
        yield Finding(5, "second", ("server", 1))

    monkeypatch.setattr(conclusions, "ALL", (broken, whole))

    assert [each.sentence for each in conclusions.findings_in(Case(servers=()))] == ["second"]


def test_findings_work_without_pytest() -> None:
    with windsock.serving(name="mine", allow_unused=True, strict=False) as server:
        server.on(b"PING\r\n").reply(b"PONG")
        with server.connect() as client:
            client.send(b"PING\n")
            with pytest.raises(windsock.PeerError) as failure:
                client.expect(b"PONG")

            found = findings_for([server], failure.value)

    assert found[0].startswith(r"mine #0: b'PING\n' would match on(b'PING\r\n') but for the line end")


FAILING = """
    import socket

    def test_it(tcp_server):
        tcp_server.echo()
        socket.create_connection(("127.0.0.1", 1), timeout=5)
    """


@pytest.mark.parametrize("options", [["--show-capture=no"], ["--tb=short"], ["-n1"], ["-p", "no:terminal"]])
def test_the_sentences_are_there_in_each_mode(run_apart: Run, options: list[str], pytester: pytest.Pytester) -> None:
    result = run_apart(FAILING, "--junitxml=report.xml", *options)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    sentence = "windsock: no client connected to tcp_server, which is at 127.0.0.1:"
    assert sentence in (pytester.path / "report.xml").read_text()
    if "no:terminal" not in options:
        result.stdout.fnmatch_lines([f"*{sentence}*; the client tried 127.0.0.1:1"])


def test_a_test_concludes_once(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(tcp_server):
        tcp_server.on(b"PING").reply(b"PONG")
        socket.create_connection(("127.0.0.1", 1), timeout=5)

    def test_next(tcp_server):
        socket.create_connection(("127.0.0.1", 1), timeout=5)
    """
    )

    assert {name: len(notes) for name, notes in found.items()} == {"test_it": 1, "test_next": 1}


@pytest.mark.parametrize("outcome", ["pytest.skip('no')", "pytest.xfail('known')"])
def test_what_is_no_failure_has_no_conclusion(run: Run, outcome: str) -> None:
    result = run(
        f"""
        import pytest

        def test_it(tcp_server):
            try:
                raise TimeoutError("nobody came")
            except TimeoutError:
                {outcome}
        """,
        "-rA",
    )

    assert "no client connected" not in result.stdout.str()


def test_a_timeout_that_strikes_while_findings_are_made_leaves_the_report(run_apart: Run) -> None:
    result = run_apart(
        """
        import sys
        import pytest

        class Strike:
            def find_spec(self, name, path=None, target=None):
                if name == "windsock.findings.waiting":
                    sys.meta_path.remove(self)
                    pytest.fail("Timeout (>1.0s) from pytest-timeout.")

        def test_it(tcp_server):
            sys.meta_path.insert(0, Strike())
            raise TimeoutError("timed out")

        def test_next(tcp_server):
            raise TimeoutError("timed out")
        """
    )

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*TimeoutError: timed out*", "*windsock: no client connected to tcp_server*"])


def test_tests_without_servers_and_tests_that_pass_import_nothing_for_it(run_apart: Run) -> None:
    result = run_apart(
        """
        import sys

        def test_it(tcp_server):
            pass

        def test_fails():
            assert 1 == 2

        def teardown_module():
            assert not any(name.startswith("windsock.findings") for name in sys.modules)
        """
    )

    result.assert_outcomes(passed=1, failed=1)


def test_a_server_of_which_nothing_can_be_read_does_not_silence_the_others() -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise LookupError(name)

    with windsock.serving(name="mine") as server:
        found = findings_for([Broken(), server], TimeoutError("timed out"))

    assert len(found) == 1
    assert found[0].startswith("no client connected to mine, which is at 127.0.0.1:")
