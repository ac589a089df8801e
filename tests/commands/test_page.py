"""docs/command-line.md: its commands are valid, and it has every option."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
from pathlib import Path

from windsock.commands.main import parser

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = (each for each in parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(found.choices)


def test_the_commands_on_the_page_are_valid() -> None:
    lines = re.findall(r"^\$ windsock (.*)$", PAGE.read_text(), re.MULTILINE)
    wrong = []
    for line in lines:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                parser().parse_args(shlex.split(line))
            except SystemExit:
                wrong.append((line, said.getvalue()))

    assert len(lines) > 8
    assert [line for line, _ in wrong] == ["proxy :6379 --fault 'Delay(0.1), conections=1'"]
    shown = wrong[0][1].partition("windsock proxy: error: ")[2]
    assert f"windsock proxy: error: {shown}" in PAGE.read_text()


def test_the_page_has_every_command_and_option() -> None:
    page = PAGE.read_text()
    options = {option for each in commands().values() for option in each._option_string_actions if option[:2] == "--"}

    assert len(options) > 20
    assert {each for each in options if each not in page} == set()
    assert {each for each in commands() if f"`windsock {each}" not in page} == set()
