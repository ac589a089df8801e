"""`--windsock-artifacts` where files cannot be written: clear words, and no lost result."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.plugin.artifact_tests import FAILING, FILES, directories, module, named_in
from tests.plugin.conftest import Run


@pytest.mark.parametrize("given", ["", "file", "file/below", "/proc/here", "\udcff/../file"])
def test_a_directory_that_cannot_be_is_a_usage_error(given: str, run_apart: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("file").write_text("")

    result = run_apart(FAILING, f"--windsock-artifacts={given}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    shown = re.escape(ascii(given))
    result.stderr.re_match_lines([f"ERROR: --windsock-artifacts={shown}: expected a directory that files can be .*"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_directory_that_breaks_in_the_middle_costs_no_result(
    workers: tuple[str, ...], run_apart: Run, tmp_path: Path
) -> None:
    result = run_apart(
        module(
            f"""
        import pathlib, shutil

        @pytest.fixture(autouse=True)
        def broken():
            shutil.rmtree({str(tmp_path / "out")!r}, ignore_errors=True)
            pathlib.Path({str(tmp_path / "out")!r}).touch()

        def test_that_fails(tcp_server):
            talk(tcp_server)
            assert False

        @pytest.mark.windsock(artifacts=True)
        def test_that_passes(tcp_server):
            talk(tcp_server)
        """
        ),
        f"--windsock-artifacts={tmp_path / 'out'}",
        *workers,
    )

    result.assert_outcomes(failed=1, passed=1)
    text = result.stdout.str()
    assert "INTERNALERROR" not in text
    assert re.search(r"-+ windsock: artifacts not written -+\n--windsock-artifacts: .*: NotADirectoryError: ", text)
    assert re.search(r"=+ windsock: artifacts not written: 1 =+\n--windsock-artifacts: .*test_that_passes.*", text)


def test_a_writer_that_fails_is_named_and_the_others_write_all_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_windsock import artifacts

    class Mute(Exception):
        def __str__(self) -> str:
            raise LookupError

    def broken(path: str, test: str, subjects: object) -> None:
        raise LookupError("nothing \ud800")

    def mute(path: str, test: str, subjects: object) -> None:
        raise Mute

    more = [("page.html", broken), ("mute.html", mute)]
    monkeypatch.setattr(artifacts, "writers", [*more, *artifacts.writers])

    result = run(FAILING, f"--windsock-artifacts={tmp_path}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["--windsock-artifacts: *page.html: LookupError: nothing *ud800"])
    result.stdout.fnmatch_lines(["--windsock-artifacts: *mute.html: Mute: *"])
    (directory,) = directories(tmp_path).values()
    assert named_in(result) == [directory]
    assert sorted(os.listdir(directory)) == FILES


def test_a_keyboard_interrupt_while_files_are_written_ends_the_run_as_usual(
    run_apart: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makeconftest(
        """
        from pytest_windsock import artifacts

        def interrupted(path, test, subjects):
            raise KeyboardInterrupt

        artifacts.writers.append(("page.html", interrupted))
        """
    )

    result = run_apart(FAILING, f"--windsock-artifacts={tmp_path}")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "INTERNALERROR" not in result.stdout.str()


@pytest.mark.parametrize("value", ["1", "None", "'yes'"])
def test_the_markers_keyword_is_true_or_false(value: str, run: Run) -> None:
    result = run(
        f"""
        import pytest

        @pytest.mark.windsock(artifacts={value})
        def test_it(tcp_server): pass
        """
    )

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*@pytest.mark.windsock(artifacts={value}): expected True or False"])


def test_a_test_that_replaces_files_and_clock_leaves_real_ones(run_apart: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyfakefs")
    pytest.importorskip("freezegun")
    result = run_apart(
        module(
            """
            import freezegun

            def test_it(tcp_server, fs):
                with freezegun.freeze_time("1999-12-31"):
                    talk(tcp_server)
                    assert False
            """
        ),
        "-p",
        "fakefs",
        f"--windsock-artifacts={tmp_path}",
    )

    (directory,) = directories(tmp_path).values()
    assert named_in(result) == [directory]
    assert sorted(os.listdir(directory)) == FILES
    assert json.loads((directory / "events.jsonl").read_text().splitlines()[0])["time"] > 1_600_000_000
