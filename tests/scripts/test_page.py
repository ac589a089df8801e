"""What the page on scripts shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from tests.scripts.test_messages import Talk
from windsock.scripts import Script, Step
from windsock.scripts import steps as kinds

PAGE = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text()


def test_a_failure_looks_like_on_the_page() -> None:
    found = re.search(r"^```text\n(step.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    talk = Talk(Script().expect(b"220 hi\r\n").send(b"EHLO\r\n").expect(b"250 OK\r\n"))
    talk.receive(b"220 hi\r\n").go()
    talk.now += 0.001

    assert found
    assert talk.receive(b"230 Welcome\r\n").mismatch() == found[1]


def test_every_step_is_in_the_table() -> None:
    in_table = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    steps = {each for each in vars(kinds).values() if isinstance(each, type) and issubclass(each, Step)}

    assert in_table == {each.method for each in steps} - {""}
