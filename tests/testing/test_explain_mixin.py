"""Failures of `unittest.TestCase` with servers that `setUp()` has started, run by unittest itself."""

from __future__ import annotations

import socket
import unittest
from typing import Any

import pytest

import windsock
from windsock.testing import ExplainMixIn

FINDING = "but for the line end"
ERROR = "had an error too: UnexpectedMessage"
TRANSCRIPT = "#0 > 5 B b'PING\\n'"


def talk(server: Any) -> None:
    server.on(b"PING\r\n").reply(b"PONG\r\n")
    with socket.create_connection(server.address, timeout=5) as client:
        client.sendall(b"PING\n")
        answer = client.recv(100)
        assert answer == b"PONG\r\n", f"assert {answer!r} == b'PONG'"


class WithServer(ExplainMixIn, unittest.TestCase):
    __test__ = False  # for pytest
    server: Any

    def setUp(self) -> None:
        self.server = self.enterContext(windsock.serving())


class Several(WithServer):
    def test_body(self) -> None:
        talk(self.server)

    def test_of_two_parts(self) -> None:
        with self.subTest("one"):
            talk(self.server)
        with self.subTest("two", of=2):
            raise TimeoutError
        with self.subTest("three"):
            talk(self.server)

    def test_passes(self) -> None:
        assert self.server.is_running

    def test_skips_itself(self) -> None:
        self.server.on(b"x").reply(b"y")
        self.skipTest("today")

    @unittest.skip("today")
    def test_is_skipped(self) -> None:
        talk(self.server)

    @unittest.expectedFailure
    def test_is_expected_to_fail(self) -> None:
        talk(self.server)

    def test_forgets_a_rule(self) -> None:
        self.server.on(b"x").reply(b"y")


class InSetUp(WithServer):
    def setUp(self) -> None:
        super().setUp()
        talk(self.server)

    def test_it(self) -> None:
        pass


class Asynchronous(ExplainMixIn, unittest.IsolatedAsyncioTestCase):
    __test__ = False

    async def test_it(self) -> None:
        talk(self.enterContext(windsock.serving()))


class OfTheClass(ExplainMixIn, unittest.TestCase):
    __test__ = False
    server: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = cls.enterClassContext(windsock.serving())

    def test_it(self) -> None:
        talk(self.server)


def result_of(*tests: unittest.TestCase) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.TestSuite(tests).run(result)
    return result


@pytest.mark.parametrize(
    "test",
    [Several("test_body"), InSetUp("test_it"), Asynchronous("test_it"), OfTheClass("test_it")],
    ids=lambda test: type(test).__name__,
)
def test_a_failure_has_conclusion_error_and_transcript_once(test: unittest.TestCase) -> None:
    result = result_of(test)

    ((_, text),) = result.failures
    assert [text.count(each) for each in (FINDING, ERROR, TRANSCRIPT)] == [1, 1, 1]
    assert "/windsock/" not in text
    assert result.errors == []


def test_a_subtest_has_what_is_of_its_own() -> None:
    result = result_of(Several("test_of_two_parts"))

    texts = [text for _, text in [*result.failures, *result.errors]]
    assert sorted((text.count(FINDING), text.count(ERROR)) for text in texts) == [(0, 0), (1, 1), (1, 1)]
    assert [f"#{number}: b'PING" in "".join(texts) for number in (0, 1)] == [True, True]


@pytest.mark.parametrize("name", ["passes", "skips_itself", "is_skipped", "is_expected_to_fail"])
def test_an_outcome_that_is_no_failure_stays_what_it_is(name: str) -> None:
    result = result_of(Several(f"test_{name}"))

    assert (result.failures, result.errors) == ([], [])


def test_what_a_test_that_passes_has_not_met_is_an_error_of_the_cleanup() -> None:
    result = result_of(Several("test_forgets_a_rule"))

    ((_, text),) = result.errors
    assert "never matched" in text


def test_a_test_can_be_run_twice() -> None:
    test = Several("test_body")

    assert len(result_of(test, test).failures) == 2
    assert "test_body" not in vars(test)
