"""A step that was not met points to the test's own line, and to nothing of ours."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Run


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("expect(b'PONG')", "bytes differ at offset 1, b'I' instead of b'O'"),
        ("expect(9, timeout=0.01)", "4 of 9 B came within"),
        ("expect_eof()", "bytes came instead"),
        ("expect_silence(1)", "something came"),
        ("one_of(Script().expect(b'X'))", "none of these matched"),
        ("play(Script().expect(b'PONG'))", "bytes differ at offset 1"),
    ],
)
def test_the_line_of_the_test_is_all_that_is_shown(run: Run, step: str, why: str) -> None:
    result = run(
        f"""
        from windsock import Script

        def test_it(tcp_server):
            tcp_server.echo()
            with tcp_server.connect() as client:
                client.send(b"hello PING").expect(b"hello ").{step}
        """
    )

    result.assert_outcomes(failed=1)
    lines = result.outlines
    start = next(number for number, line in enumerate(lines) if line.startswith("> "))
    assert why in lines[start + 1]
    places = [line for line in lines[start:] if re.match(r"\S+\.py:\d+: ", line)]
    assert [re.sub(r":\d+:", "", each) for each in places] in (
        ["test_the_line_of_the_test_is_all_that_is_shown.py ScriptMismatch"],
        ["test_the_line_of_the_test_is_all_that_is_shown.py ScriptTimeout"],
    )
