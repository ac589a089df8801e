"""What the page on scripts shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from windsock.scripts import Step
from windsock.scripts import steps as kinds

PAGE = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text()


def test_every_step_is_in_the_table() -> None:
    in_table = set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE))
    steps = {each for each in vars(kinds).values() if isinstance(each, type) and issubclass(each, Step)}

    assert in_table == {each.method for each in steps} - {""}
