"""`against=["real", "recorded"]`: the same test for the real server and for its cassette, which is kept true."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run
from tests.real_servers.conftest import SERVER

TEST = r"""
import re
import pytest, windsock
from windsock.errors import NotInstalled

LINE = re.compile(rb".*\n")
REPLIES = b"+PONG\n", b"+OK 1\n"

def missing():
    raise NotInstalled("redis-server is not installed")

@pytest.fixture
def real():
    with windsock.serving(framing="lines", allow_unused=True) as server:
        server.on(b"PING").reply(REPLIES[0])
        server.on(b"SET").reply(REPLIES[1])
        yield server

@pytest.mark.windsock(against=["real", "recorded"])
def test_it(cassette, real):
    with windsock.scripted_client(cassette(real.address, framing="lines").address) as client:
        client.send(b"PING\n").expect(LINE).send(b"SET\n").expect(LINE)
"""


@pytest.fixture
def recorded(run: Run, pytester: pytest.Pytester) -> None:
    """A cassette of the test, from an earlier run."""
    run(TEST, "--windsock-cassettes=record").assert_outcomes(passed=2)
    assert len(cassettes(pytester)) == 1


def cassettes(pytester: pytest.Pytester) -> list[str]:
    return [each.read_text() for each in (pytester.path / "cassettes").rglob("*.txt")]


def rerun(run: Run, old: str, new: str, *options: str) -> pytest.RunResult:
    """Run the test again, in the same module, with a change."""
    changed = TEST.replace(old, new)
    assert changed != TEST
    return run(changed, *options)


@pytest.mark.usefixtures("recorded")
def test_the_test_runs_on_both_sides(run: Run) -> None:
    result = run(TEST, "-v")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::test_it?real? PASSED*", "*::test_it?recorded? PASSED*"])


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("address", "why"), [("missing", "redis-server is not installed"), ("('127.0.0.1', 1)", "refused")]
)
def test_without_the_program_the_recording_alone_is_tested(run: Run, address: str, why: str) -> None:
    result = rerun(run, "cassette(real.address,", f"cassette({address},", "-rs")

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines([f"*SKIPPED*the real server is not there: *{why}*"])


@pytest.mark.usefixtures("recorded")
def test_a_recording_that_no_longer_matches_fails_with_a_diff(run: Run, pytester: pytest.Pytester) -> None:
    before = cassettes(pytester)

    result = rerun(run, r"+OK 1", r"+OK 2")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*CassetteOutdated: cassette *.txt, line 9, no longer matches the real server: connection 1: a reply that "
            "differs: byte 4 is b'2', expected b'1'*",
            "*--- recorded*",
            "*+++ now*",
            "*-< +OK 1*",
            "*+< +OK 2*",
            "*record it again, in tests with --windsock-cassettes=rewrite*",
        ]
    )
    assert cassettes(pytester) == before


@pytest.mark.usefixtures("recorded")
def test_rewrite_renews_the_recording(run: Run, pytester: pytest.Pytester) -> None:
    rerun(run, r"+OK 1", r"+OK 2", "--windsock-cassettes=rewrite").assert_outcomes(passed=1, skipped=1)

    assert r"< +OK 2\n" in cassettes(pytester)[0]
    rerun(run, r"+OK 1", r"+OK 2").assert_outcomes(passed=2)


@pytest.mark.usefixtures("recorded")
def test_parts_that_vary_are_ignored_on_both_sides(run: Run) -> None:
    changed = TEST.replace("+OK 1", "+OK 2").replace(
        'framing="lines").address', 'framing="lines", ignore=re.compile(rb"OK (.)")).address'
    )

    run(changed).assert_outcomes(passed=2)


def test_a_side_without_its_cassette_is_skipped_while_that_is_recorded(run: Run) -> None:
    alone = TEST.replace('"real", "recorded"', '"recorded"')

    result = run(alone, "--windsock-cassettes=record", "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*--windsock-cassettes=record: this run is about the real server*"])


def test_without_a_cassette_both_sides_say_how_to_record_it(run: Run) -> None:
    result = run(TEST)

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*CassetteError: *--windsock-cassettes=record*"] * 2)


@pytest.mark.usefixtures("recorded")
def test_off_talks_to_the_real_server_alone(run: Run) -> None:
    rerun(run, r"+OK 1", r"+OK 2", "--windsock-cassettes=off").assert_outcomes(passed=1, skipped=1)


def test_each_case_of_a_test_has_a_cassette_of_its_own(run: Run, pytester: pytest.Pytester) -> None:
    cases = TEST.replace(
        "def test_it(cassette, real", "@pytest.mark.parametrize('x', [1, 2])\ndef test_it(cassette, x, real"
    )

    run(cases, "--windsock-cassettes=record").assert_outcomes(passed=4)
    run(cases).assert_outcomes(passed=4)

    assert len(cassettes(pytester)) == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "against=['fake'])\ndef test_it(cassette): pass",
            "against=?'fake'?): expected a list of ('real', 'recorded')",
        ),
        ("against=['real'])\ndef test_it(): pass", "is for tests that use cassette"),
    ],
)
def test_a_marker_that_cannot_work_ends_the_run(run: Run, code: str, said: str) -> None:
    result = run(f"import pytest\n@pytest.mark.windsock({code}\n")

    result.stdout.fnmatch_lines([f"*{said}*"])
    result.stdout.no_fnmatch_line("*against.py*")
    result.assert_outcomes(errors=1)


PROGRAM = f"""
import re
import pytest, windsock

COMMAND = {SERVER!r}

@pytest.mark.windsock(against=["real", "recorded"])
def test_it(cassette, real_server):
    kept = cassette(lambda: real_server(COMMAND).address, framing="lines", ignore=re.compile(rb"^\\d+"))
    with windsock.scripted_client(kept.address) as client:
        client.send(b"hello\\n").expect(re.compile(rb"\\d+ hello\\n"))
"""


def test_a_real_program_is_run_for_its_side_alone(run: Run) -> None:
    run(PROGRAM, "--windsock-cassettes=record").assert_outcomes(passed=2)

    run(PROGRAM).assert_outcomes(passed=2)
    missing = run(PROGRAM.replace("COMMAND)", "['no-such-program'])"), "-rs")

    missing.assert_outcomes(passed=1, skipped=1)
    missing.stdout.fnmatch_lines(["*SKIPPED*the real server is not there: *no-such-program*"])
