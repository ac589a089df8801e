"""The fixture `cassette` and its modes: which file it uses, when it is written, and when the real server is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import Run

TALK = """
import pytest, windsock

@pytest.fixture(scope="module")
def real():
    with windsock.serving(framing="lines", allow_unused=True) as server:
        server.on(b"PING").reply(b"+PONG\\n")
        yield server

def ask(address, message=b"PING\\n", reply=b"+PONG\\n"):
    with windsock.scripted_client(address) as client:
        client.send(message).expect(reply)
"""
ONE = (
    TALK
    + """
def test_it(cassette, real):
    ask(cassette(real.address, framing="lines").address)
"""
)
ALONE = (
    TALK
    + """
def real_address():
    raise AssertionError("the real server is not there")

def test_it(cassette):
    ask(cassette(real_address, framing="lines").address)
"""
)


def files(pytester: pytest.Pytester) -> list[str]:
    found = (pytester.path / "cassettes").rglob("*")
    return sorted(str(each.relative_to(pytester.path)) for each in found if each.is_file())


def test_what_was_recorded_is_replayed_without_the_real_server(run: Run, pytester: pytest.Pytester) -> None:
    run(ONE, "--windsock-cassettes=record").assert_outcomes(passed=1)
    (name,) = files(pytester)

    run(ALONE).assert_outcomes(passed=1)

    module = Path(name).parts[1]
    assert name == f"cassettes/{module}/test_it.txt"
    assert module.startswith("test_")


def test_a_missing_cassette_fails_the_test_and_says_how_to_record_it(run: Run) -> None:
    result = run(ALONE)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*CassetteError: cassette *test_it.txt: *--windsock-cassettes=record*"])


def test_a_framing_that_is_a_function_is_for_the_recording_and_the_replay(run: Run) -> None:
    code = (
        TALK
        + """
def to_line_end(data):
    return data.find(b"\\n") + 1 or None

def test_it(cassette, real):
    ask(cassette(real.address, framing=to_line_end).address)
"""
    )
    run(code, "--windsock-cassettes=record").assert_outcomes(passed=1)

    run(code).assert_outcomes(passed=1)


def test_record_replays_what_is_there_and_rewrite_does_not(run: Run, pytester: pytest.Pytester) -> None:
    run(ONE, "--windsock-cassettes=record")
    run(ALONE, "--windsock-cassettes=record").assert_outcomes(passed=1)

    result = run(ALONE, "--windsock-cassettes=rewrite")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the real server is not there"])


def test_off_talks_to_the_real_server_and_keeps_nothing(run: Run, pytester: pytest.Pytester) -> None:
    run(ONE, "--windsock-cassettes=off").assert_outcomes(passed=1)

    assert files(pytester) == []


def test_the_mode_may_be_an_ini_value_and_the_option_beats_it(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nwindsock_cassettes = record\n")
    run(ONE, "--windsock-cassettes=off")
    assert files(pytester) == []

    run(ONE).assert_outcomes(passed=1)

    assert len(files(pytester)) == 1


def test_a_wrong_ini_value_ends_the_run(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nwindsock_cassettes = always\n")

    result = run(ONE)

    result.stderr.fnmatch_lines(["*windsock_cassettes: expected one of replay, record, rewrite, off; got 'always'"])


def test_a_test_that_did_not_pass_leaves_the_cassette_as_it_was(run: Run, pytester: pytest.Pytester) -> None:
    run(ONE, "--windsock-cassettes=record")
    (name,) = files(pytester)
    before = (pytester.path / name).read_text()

    for last in ("assert False", "pytest.skip()"):
        run(ONE + f"    {last}\n", "--windsock-cassettes=rewrite")

        assert files(pytester) == [name]
        assert (pytester.path / name).read_text() == before


def test_the_marker_and_the_keyword_name_the_file(run: Run, pytester: pytest.Pytester) -> None:
    code = (
        TALK
        + """
@pytest.mark.windsock(cassette="by-marker.txt")
def test_it(cassette, real):
    ask(cassette(real.address).address)
    ask(cassette(real.address).address)
    ask(cassette(real.address, file="deeper/by-keyword.txt").address)

@pytest.mark.parametrize("way", ["a/b"])
def test_with_parameters(cassette, real, way):
    ask(cassette(real.address).address)
"""
    )
    run(code, "--windsock-cassettes=record").assert_outcomes(passed=2)

    found = files(pytester)
    assert {"cassettes/by-marker.txt", "cassettes/by-marker-2.txt", "cassettes/deeper/by-keyword.txt"} < set(found)
    assert next(Path(each).name for each in found if "parameters" in each).startswith("test_with_parameters-a-b-")
    run(code).assert_outcomes(passed=2)


def test_a_marker_without_a_name_ends_the_run(run: Run) -> None:
    result = run("import pytest\n@pytest.mark.windsock(cassette=3)\ndef test_it(): pass\n")

    result.stderr.fnmatch_lines(["*@pytest.mark.windsock(cassette=3): expected the name of a file"])


@pytest.mark.parametrize("mode", ["replay", "record", "off"])
def test_an_unknown_keyword_is_named_in_each_mode(run: Run, mode: str) -> None:
    result = run(ONE.replace("address, framing=", "address, framming="), f"--windsock-cassettes={mode}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cassette() got an unexpected keyword argument 'framming'; did you mean 'framing'?"])


def test_traffic_that_differs_fails_the_test_with_the_line_that_came_closest(run: Run) -> None:
    run(ONE, "--windsock-cassettes=record")

    result = run(ONE.replace("real.address, framing", "None, framing").replace('b"PING\\n"', 'b"PUNG\\n"'))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*UnmatchedTraffic: cassette *", "*nearest, line 6: b'PING*", "*byte 1 is b'U', expected b'I'"]
    )


def test_workers_side_by_side_record_each_a_file(run_apart: Run, pytester: pytest.Pytester) -> None:
    code = (
        ONE
        + """
@pytest.mark.parametrize("number", range(4))
def test_many(cassette, real, number):
    ask(cassette(real.address).address)
"""
    )
    run_apart(code, "--windsock-cassettes=record", "-n", "2").assert_outcomes(passed=5)

    assert len(files(pytester)) == 5
    run_apart(code, "-n", "2").assert_outcomes(passed=5)


def test_two_recordings_of_one_file_at_once_are_an_error(run: Run) -> None:
    result = run(
        TALK
        + """
def test_it(cassette, real):
    with windsock.record(real.address, "here.txt"):
        windsock.record(real.address, "here.txt")
"""
    )

    result.stdout.fnmatch_lines(["*CassetteError: cassette here.txt: another test or process is recording it*"])
