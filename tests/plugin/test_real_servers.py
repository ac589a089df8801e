"""The fixture `real_server` and fixtures of programs that outlive a test: verdicts, reports, faults, resets."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run
from tests.real_servers.conftest import SERVER

PRELUDE = f"""
import socket
import pytest
import pytest_windsock
from windsock.faults import Delay, Reset

SERVER = {SERVER!r}

def ask(server, line="hello"):
    with socket.create_connection(getattr(server, "address", server), 10) as client:
        client.sendall(line.encode() + b"\\n")
        return client.recv(100).decode().strip()

def die(server):
    ask(server, "exit")
    assert server.process.wait(10)
"""


def test_it_runs_until_the_end_of_the_test_and_has_faults_in_one_line(run: Run) -> None:
    result = run(
        PRELUDE
        + """
kept = []

def test_it(real_server, fault_proxy):
    server = real_server(SERVER)
    kept.append(server)
    assert ask(fault_proxy(server)) == f"{server.pid} hello"
    with server.fault(Delay(0.001)) as late:
        assert ask(server) == f"{server.pid} hello"
    assert late.fired and server.proxy.connections
    assert server.address != server.direct_address

def test_it_is_over():
    assert kept[0].is_stopped
"""
    )

    result.assert_outcomes(passed=2)


def test_lines_that_a_program_writes_at_once_are_shown_in_their_order(run: Run) -> None:
    result = run(
        PRELUDE
        + """
def test_it(real_server):
    real_server([*SERVER, "says", "second\\nfirst"], name="small")
    assert not "this"
"""
    )

    result.stdout.fnmatch_lines(["*- windsock: output of small at *", "* second", "* first None /*"], consecutive=True)


def test_a_failed_test_shows_the_output_beside_the_transcript_with_one_zero(run: Run) -> None:
    result = run(
        PRELUDE
        + """
def test_it(real_server, fault_proxy):
    server = real_server([*SERVER, "says", "starting"], name="small")
    proxy = fault_proxy(server)
    ask(proxy, "password=" + "sesame" + "1")
    assert not "this"
"""
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- windsock: <fault_proxy 1 on *",
            "+0.0000 #0 from *",
            "*- windsock: output of small at 127.0.0.1:*, pid *",
            "[+-]0.* starting None /*",
            "+0.* got password=*******",
        ]
    )
    result.stdout.no_fnmatch_line("*sesame1*")


def test_a_program_that_has_died_fails_the_test_that_has_not_noticed(run: Run) -> None:
    result = run(
        PRELUDE
        + """
def test_it(real_server):
    die(real_server(SERVER, name="small"))
"""
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *ProgramEnded: *program.py *: exited with code 1 while the test needed it",
            " *told to exit",
            "*- windsock: output of small at 127.0.0.1:*, exited with code 1 -*",
        ]
    )


def test_a_program_that_has_died_is_a_note_on_the_failure_that_it_leads_to(run: Run) -> None:
    result = run(
        PRELUDE
        + """
def test_it(real_server):
    server = real_server(SERVER)
    die(server)
    ask(server)
"""
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ConnectionRefusedError: *", "E *windsock: *exited with code 1 while the test *"])


def test_a_program_that_had_to_be_killed_is_an_error_of_the_teardown(run: Run) -> None:
    result = run(
        PRELUDE
        + """
def test_it(real_server):
    real_server([*SERVER, "deaf"], stop_timeout=0.1)
"""
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *ProgramStuck: *did not end within 0.1 s of SIGTERM and was killed*"])


SESSION = (
    PRELUDE
    + """
seen = []

@pytest_windsock.program(SERVER, scope="session", reset=lambda server: seen.append(ask(server)))
def small(server):
    "One for the whole run."
    seen.append("set up")
    yield
    assert server.is_running

"""
)


def test_one_program_for_a_session_is_reset_between_tests(run: Run) -> None:
    result = run(
        SESSION
        + """
pids = set()

@pytest.mark.parametrize("number", range(3))
def test_it(small, number):
    assert seen == ["set up"] + [f"{small.pid} hello"] * number
    pids.add(small.pid)

def test_other():
    assert len(pids) == 1 and len(seen) == 3
"""
    )

    result.assert_outcomes(passed=4)


def test_what_one_test_does_to_the_program_is_undone_before_the_next(run: Run) -> None:
    result = run(
        SESSION
        + """
def test_kill(small):
    small.kill()

def test_pause(small):
    assert ask(small)
    small.pause()

def test_fault(small):
    assert ask(small)
    small.fault(Reset(), allow_unfired=True)
    assert small.address != small.direct_address

def test_none(small):
    assert small.address == small.direct_address
    assert ask(small)
""",
        "-p",
        "no:randomly",
    )

    result.assert_outcomes(passed=4)


def test_a_program_for_several_tests_that_one_of_them_has_stopped_says_so(run: Run) -> None:
    result = run(
        SESSION.replace("assert server.is_running", "")
        + """
def test_stop(small):
    small.stop()

def test_next(small):
    pass
""",
        "-p",
        "no:randomly",
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *UsageError: a test has called stop() of python, which ends it for good*"])


def test_of_one_program_each_test_has_a_verdict_and_its_own_output(run: Run) -> None:
    result = run(
        SESSION
        + """
def test_first(small):
    ask(small, "first")

def test_second(small):
    die(small)

def test_third(small):
    ask(small, "third")
    assert not "this"

def test_unfired(small):
    small.fault(Reset(), match=b"never")
""",
        "-p",
        "no:randomly",
    )

    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "E *exited with code 1 while the test needed it",
            "*- windsock: output of python *",
            "+0.* told to exit",
            "*- windsock: output of python *",
            "+0.* got third",
            "*FaultNeverFired: *",
        ]
    )
    result.stdout.no_fnmatch_line("+* got first")


def test_a_failed_reset_is_an_error_of_the_test_that_it_was_for(run: Run) -> None:
    result = run(
        PRELUDE
        + """
@pytest_windsock.program(SERVER, scope="module", reset=lambda server: 1 / 0)
def small(server):
    pass

def test_first(small):
    pass

def test_second(small):
    pass
""",
        "-p",
        "no:randomly",
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *ZeroDivisionError*"])


def test_wrong_values_and_scopes_say_what_to_do(run: Run) -> None:
    result = run(
        PRELUDE
        + """
from windsock import UsageError

def test_values():
    with pytest.raises(UsageError, match="expected one of 'function'"):
        pytest_windsock.program(SERVER, scope="life")
    with pytest.raises(UsageError, match="expected a function of the program"):
        pytest_windsock.program(SERVER, reset="flush")
    with pytest.raises(UsageError, match="def setup"):
        @pytest_windsock.program(SERVER)
        def setup():
            pass

@pytest.fixture(scope="session")
def early(real_server):
    pass

def test_scope(early):
    pass
"""
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*@pytest_windsock.program(command, scope=...)*"])


def test_each_worker_has_a_program_of_its_own_and_leaves_none(run_apart: Run) -> None:
    result = run_apart(
        SESSION
        + """
@pytest.mark.parametrize("number", range(4))
def test_it(small, number):
    assert ask(small).endswith("hello")
""",
        "-n2",
    )

    result.assert_outcomes(passed=4)


MISSING = """
import pytest_windsock
from windsock.programs import recipes
from windsock.programs.keywords import Recipe

NAMED = ["no-such-program"]
NEEDED = Recipe(["/bin/sh", "-c", "exec {program:no-such-program} {port}"], {"install": "apt-get install wind"})
MODULE = Recipe(["/bin/sh", "-c", "python -m {module:no_such_module} {port}"], {})

@pytest_windsock.program(NEEDED, scope="module", missing="skip")
def shared(server):
    pass

def test_named(real_server):
    real_server(NAMED, missing="skip", install="apt-get install wind")

def test_needed(real_server):
    real_server(NEEDED, missing="skip")

def test_module(real_server):
    real_server(MODULE, missing="skip")

def test_shared(shared):
    pass
"""


def test_a_test_is_skipped_without_its_program_if_it_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WINDSOCK_REQUIRE_PROGRAMS", raising=False)

    result = run(MISSING, "-rs")

    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines_random(
        [
            "SKIPPED*['no-such-program', ...]*install it: apt-get install wind",
            "SKIPPED*there is no Python module 'no_such_module'; install it: pip install no_such_module",
        ]
    )


def test_no_test_is_skipped_where_programs_are_required(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDSOCK_REQUIRE_PROGRAMS", "1")

    result = run(MISSING)

    assert result.parseoutcomes().get("skipped") is None
    result.assert_outcomes(failed=3, errors=1)
    result.stdout.fnmatch_lines(["*missing='skip' skips no test, since WINDSOCK_REQUIRE_PROGRAMS is 1*"])


def test_another_word_for_missing_is_a_usage_error(run: Run) -> None:
    result = run("def test_it(real_server):\n    real_server(['true'], missing='xfail')\n")

    result.stdout.fnmatch_lines(["*UsageError: real_server(missing='xfail'): expected 'fail' or 'skip'"])


def test_the_report_says_that_the_program_was_paused(run: Run) -> None:
    result = run(
        SESSION
        + """
def test_paused(small):
    assert ask(small)
    small.pause()
    with socket.create_connection(small.address, 0.2) as client:
        client.recv(1)
"""
    )

    result.stdout.fnmatch_lines(["E * windsock: python: pause() had stopped its processes*", "+* --- pause()"])
