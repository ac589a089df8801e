"""What a failed assert says about bytes that a server has recorded, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugin.conftest import Run

TEST = """
    import socket

    def test_it(tcp_server):
        tcp_server.echo()
        with socket.create_connection(tcp_server.address) as client:
            client.sendall({data})
            client.shutdown(socket.SHUT_WR)
        assert tcp_server.requests.wait(1)[0].data == {expected}
"""


def explained(result: Any) -> list[str]:
    """The lines that explain the failed assert."""
    lines = [line for line in result.outlines if line.startswith("E ")]
    return [line.removeprefix("E ").removeprefix("     ") for line in lines]


def test_bytes_that_differ(run: Run) -> None:
    result = run(TEST.format(data=r"b'HELP\r\n'", expected=r"b'HELO there\r\n'"))

    result.assert_outcomes(failed=1)
    assert explained(result) == [
        " AssertionError: assert b'HELP\\r\\n' == b'HELO there\\r\\n'",
        "   bytes differ at offset 3, b'P' and b'O'; 6 B and 12 B",
        "              left                               right",
        "     > 000000 48 45 4c 50 0d 0a        HELP..    48 45 4c 4f 20 74 68 65  HELO the",
        "       000008                                    72 65 0d 0a              re..",
    ]


def test_one_that_is_longer(run: Run) -> None:
    result = run(TEST.format(data="b'ab'", expected="bytearray(b'abc')"))

    assert explained(result)[1:] == [
        "   bytes differ at offset 2, where the left one ends; 2 B and 3 B",
        "              left                               right",
        "     > 000000 61 62                    ab        61 62 63                 abc",
    ]


def test_bytes_that_differ_far_away_are_not_cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ("CI", "BUILD_NUMBER"):  # with which pytest cuts nothing off
        monkeypatch.delenv(each, raising=False)
    result = run(TEST.format(data="b'ab' * 50000", expected="b'ab' * 20000 + b'x' + b'ab' * 30000"))

    start = "b'abababababababababababababababab'..."
    assert explained(result) == [
        f" AssertionError: assert {start} (99968 more) == {start} (99969 more)",
        "   bytes differ at offset 40000, b'a' and b'x'; 100000 B and 100001 B",
        "              left                               right",
        "       009c38 61 62 61 62 61 62 61 62  abababab  61 62 61 62 61 62 61 62  abababab",
        "     > 009c40 61 62 61 62 61 62 61 62  abababab  78 61 62 61 62 61 62 61  xabababa",
        "       009c48 61 62 61 62 61 62 61 62  abababab  62 61 62 61 62 61 62 61  babababa",
    ]


@pytest.mark.parametrize("assertion", ["assert b'abc' == b'abd'", "server = 1; assert bytearray(b'abc') == b'abd'"])
def test_the_asserts_of_other_tests_are_left_alone(run: Run, assertion: str) -> None:
    result = run(f"def test_it():\n    {assertion}")

    result.assert_outcomes(failed=1)
    assert not any("offset" in line for line in explained(result))
    assert any("At index 2 diff: " in line for line in explained(result))


@pytest.mark.parametrize(
    "assertion", ["'abc' == 'abd'", "b'abc' == 'abc'", "b'x' in b'abc'", "b'a' != b'a'", "[b'a'] == [b'b']"]
)
def test_what_is_not_about_two_runs_of_bytes_is_left_alone(run: Run, assertion: str) -> None:
    result = run(f"def test_it(tcp_server):\n    assert {assertion}")

    result.assert_outcomes(failed=1)
    assert not any("offset" in line for line in explained(result))


def test_a_test_without_a_server_does_not_import_anything_for_it(run_apart: Run) -> None:
    result = run_apart(
        """
        import sys, pytest

        def test_it():
            with pytest.raises(AssertionError):
                assert b"a" == b"b"
            assert not [each for each in sys.modules if each.startswith("windsock") or each.endswith("comparison")]
        """
    )

    result.assert_outcomes(passed=1)
