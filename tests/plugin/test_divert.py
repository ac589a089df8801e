"""The fixture `divert`: for how long, and what a refused connection does to the test."""

from __future__ import annotations

from tests.plugin.conftest import Run

CLIENT = """
import contextlib, socket
import pytest, windsock

def ask(name):
    with socket.create_connection((name, 80), 5) as client:
        client.sendall(b"x")
        return client.recv(1)

def ask_in_vain():
    with contextlib.suppress(OSError):
        return ask("elsewhere.example")
"""


def test_it_diverts_until_the_end_of_the_test(run: Run) -> None:
    result = run(
        CLIENT
        + """
def test_it(divert, serve):
    diversion = divert({"api.example": serve().echo()}, others="refuse")
    divert({"other.example": serve().echo()})
    assert isinstance(diversion, windsock.Diversion)
    assert ask("api.example") == ask("other.example") == b"x"

def test_no_more():
    with pytest.raises(OSError):
        ask("api.example")
"""
    )

    result.assert_outcomes(passed=2)


def test_a_refused_connection_that_was_swallowed_fails_the_test(run: Run) -> None:
    result = run(
        CLIENT
        + """
def test_alone(divert):
    divert({}, others="refuse")
    ask_in_vain()

def test_two(divert, tcp_server):
    divert({}, others="refuse")
    divert({"api.example": tcp_server}, others="refuse")
    ask_in_vain()
    with contextlib.suppress(OSError):
        ask("192.0.2.1")
"""
    )

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            'E *NotDiverted: elsewhere.example:80 is not diverted, and others="refuse"; '
            "add 'elsewhere.example:80': server to divert()",
            "*at test_a_refused_*.py:* in ask: with socket.create_connection((name, 80), 5) as client:",
            "*ExceptionGroup: connections that are not diverted were refused (2 sub-exceptions)*",
        ]
    )


def test_one_that_the_test_expects_is_taken(run: Run) -> None:
    result = run(
        CLIENT
        + """
def test_taken(divert):
    diversion = divert({}, others="refuse")
    with pytest.raises(windsock.NotDiverted):
        ask("elsewhere.example")
    assert [each.host for each in diversion.take()] == ["elsewhere.example"]

def test_not_strict(divert):
    divert({}, others="refuse", strict=False)
    ask_in_vain()
"""
    )

    result.assert_outcomes(passed=2)


def test_a_failed_test_has_a_note_and_fails_once(run: Run) -> None:
    result = run(
        CLIENT
        + """
def test_other_reason(divert):
    divert({}, others="refuse")
    assert ask_in_vain() == b"x"

def test_uncaught(divert):
    divert({}, others="refuse")
    ask("elsewhere.example")
"""
    )

    result.assert_outcomes(failed=2)
    assert result.stdout.str().count("windsock: refused: elsewhere.example:80 is not diverted") == 1


def test_one_in_a_teardown_is_an_error_there(run: Run) -> None:
    result = run(
        CLIENT
        + """
@pytest.fixture
def late(divert):
    divert({}, others="refuse")
    yield
    ask_in_vain()

def test_late(late):
    pass
"""
    )

    result.assert_outcomes(passed=1, errors=1)


def test_one_of_a_handler_is_the_handlers_error_and_no_other(run: Run) -> None:
    result = run(
        CLIENT
        + """
def handle(request, address, server):
    ask("elsewhere.example")

def test_it(divert, serve):
    server = serve(handle)
    divert({"api.example": server}, others="refuse")
    with server.connect() as client:
        client.expect_eof()
"""
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*NotDiverted: elsewhere.example:80 is not diverted*"])
    assert "windsock: refused:" not in result.stdout.str()
