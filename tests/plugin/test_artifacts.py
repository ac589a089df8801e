"""`--windsock-artifacts`: files about tests, whatever they are called, however they fail, and wherever they run."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.plugin.artifact_tests import FAILING, FILES, directories, module, named_in
from tests.plugin.conftest import Run


def test_a_failed_test_leaves_its_files_and_its_report_names_them(run: Run, tmp_path: Path) -> None:
    result = run(FAILING, f"--windsock-artifacts={tmp_path}/a/b")

    (directory,) = directories(tmp_path / "a" / "b").values()
    assert named_in(result) == [directory]
    assert sorted(os.listdir(directory)) == FILES
    assert re.search(r"^\+\d\.\d{4} #0 > 5 B b'hello'$", (directory / "transcript.txt").read_text(), re.MULTILINE)
    assert (directory / "traffic.pcapng").read_bytes().count(b"hello") == 2
    events = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
    assert [each["kind"] for each in events] == ["open", "data", "data", "eof", "eof", "close", "end"]
    assert [each["text"] for each in events if each["kind"] == "data"] == ["hello", "hello"]
    result.assert_outcomes(failed=1)


def test_a_passed_test_leaves_none_unless_asked_for(run: Run, tmp_path: Path) -> None:
    code = module(
        """
    def test_plain(tcp_server): talk(tcp_server)

    @pytest.mark.windsock(artifacts=True)
    def test_marked(tcp_server): talk(tcp_server)

    @pytest.mark.windsock(artifacts=True)
    class TestMarked:
        @pytest.mark.windsock(artifacts=False)
        def test_unmarked(self, serve):
            talk(serve())
            assert False

        def test_it(self, any_server): pass

    def test_of_something_else(): assert False
    """
    )

    run(code, f"--windsock-artifacts={tmp_path}/some", "-k", "not test_it")
    run(code, f"--windsock-artifacts={tmp_path}/all", "--windsock-artifacts-for=all", "-k", "not test_it")
    marked_alone = run(code, "-k", "marked")

    file = "test_a_passed_test_leaves_none_unless_asked_for.py"
    assert list(directories(tmp_path / "some")) == [f"{file}-test_marked"]
    assert list(directories(tmp_path / "all")) == [f"{file}-test_marked", f"{file}-test_plain"]
    assert marked_alone.parseoutcomes()["passed"] > 2


@pytest.mark.parametrize("phase", ["setup", "call", "teardown", "both"])
def test_the_phase_that_fails_does_not_matter(phase: str, run: Run, tmp_path: Path) -> None:
    result = run(
        module(
            f"""
        @pytest.fixture
        def broken(tcp_server):
            talk(tcp_server)
            assert {phase!r} != "setup"
            yield
            with tcp_server.connect() as client:
                client.send(b"farewell").expect(b"farewell")
            assert {phase!r} not in ("teardown", "both")

        def test_it(broken):
            assert {phase!r} not in ("call", "both")
        """
        ),
        f"--windsock-artifacts={tmp_path}",
    )

    (directory,) = directories(tmp_path).values()
    assert set(named_in(result)) == {directory}
    assert ("farewell" in (directory / "transcript.txt").read_text()) == (phase != "setup")


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_each_test_has_a_directory_of_its_own_whatever_its_name(
    workers: tuple[str, ...], run_apart: Run, tmp_path: Path
) -> None:
    result = run_apart(
        module(
            """
        NAMES = ["a/b", "a-b", "a b", "..", "é☃", "x" * 90, "x" * 91, "\\x1b[31m", "", "CON", "con"]

        @pytest.mark.parametrize("name", NAMES, ids=NAMES)
        def test_it(tcp_server, name):
            tcp_server.echo()
            with tcp_server.connect() as client:
                client.send(name.encode() + b"!").expect(name.encode() + b"!")
            assert False
        """
        ),
        f"--windsock-artifacts={tmp_path}",
        *workers,
    )

    result.assert_outcomes(failed=11)
    found = sorted(tmp_path.iterdir())
    assert sorted(named_in(result)) == found
    assert len({each.name.casefold() for each in found}) == 11
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,120}", each.name) for each in found)
    said = {json.loads((each / "events.jsonl").read_text().splitlines()[1])["text"] for each in found}
    assert len(said) == 11


def test_with_dist_each_every_worker_has_its_own(run_apart: Run, tmp_path: Path) -> None:
    run_apart(FAILING, f"--windsock-artifacts={tmp_path}", "--dist=each", "--tx=2*popen")

    assert sorted(name.rpartition("-")[2] for name in directories(tmp_path)) == ["gw0", "gw1"]


def test_each_attempt_has_a_directory_of_its_own(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    pytester.makeconftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for _ in range(3):
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    item.ihook.pytest_runtest_logreport(report=report)
            return True
        """
    )

    result = run(FAILING, f"--windsock-artifacts={tmp_path}")

    (file,) = {name.partition(".py")[0] for name in directories(tmp_path)}
    assert list(directories(tmp_path)) == [f"{file}.py-test_it{each}" for each in ("", "-2", "-3")]
    assert sorted(set(named_in(result))) == sorted(tmp_path.iterdir())


def test_workers_write_below_the_directory_of_the_run(run_apart: Run, pytester: pytest.Pytester) -> None:
    run_apart(FAILING, "--windsock-artifacts=out", "-n", "2")

    assert len(list(pytester.path.joinpath("out").iterdir())) == 1


def test_all_servers_and_proxies_of_a_test_are_in_one_set_of_files(run: Run, tmp_path: Path) -> None:
    run(
        module(
            """
        def test_it(serve, fault_proxy, scripted_client):
            server = serve(name="first")
            server.echo()
            talk(serve(transport="udp", name="second"))
            with fault_proxy(server.address) as proxy, scripted_client(proxy.address) as client:
                client.send(b"hello").expect(b"hello")
            assert False
        """
        ),
        f"--windsock-artifacts={tmp_path}",
    )

    (directory,) = directories(tmp_path).values()
    events = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
    assert {each["server"] for each in events} == {"first", "second", "fault_proxy 1"}
    assert [each["elapsed"] for each in events] == sorted(each["elapsed"] for each in events)


def test_without_a_directory_the_marker_writes_nothing(run: Run, pytester: pytest.Pytester) -> None:
    result = run(FAILING.replace("def test_it", "@pytest.mark.windsock(artifacts=True)\ndef test_it"))

    result.assert_outcomes(failed=1)
    assert named_in(result) == []


def test_collecting_makes_no_directory(run: Run, tmp_path: Path) -> None:
    run(FAILING, f"--windsock-artifacts={tmp_path / 'out'}", "--collect-only")

    assert not (tmp_path / "out").exists()
