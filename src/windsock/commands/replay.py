"""`replay`: a fake that answers as a cassette says."""

from __future__ import annotations

import argparse
from typing import Any

from windsock.cassettes import replay
from windsock.commands.options import add_command, add_faults, add_output, typed
from windsock.commands.output import Output
from windsock.commands.serve import LENIENT, add_place, authority_of, place_from
from windsock.commands.session import run_until_stopped
from windsock.commands.signals import StopRequest
from windsock.commands.texts import pattern_from

__all__ = ["add_replay"]

EXAMPLES = """
examples:
  windsock replay login.txt --port 6379
  windsock replay login.txt --ignore 'id=(\\d+)' --connections by_first_message
  windsock replay login.txt --pace recorded --fault 'Delay(0.1)' --strict
"""


def add_replay(commands: Any) -> None:
    """Add the command to those of a parser."""
    parser = add_command(
        commands,
        "replay",
        help="a fake that answers as a cassette says",
        description="Serve a cassette, and print what comes and goes, until Ctrl-C or SIGTERM.",
        examples=EXAMPLES,
        run=run_replay,
    )
    parser.add_argument("cassette", metavar="CASSETTE", help="the file, from `windsock record` or `windsock.record()`")
    parser.add_argument(
        "--ignore",
        metavar="REGEX",
        action="append",
        type=typed(pattern_from),
        help="parts of recorded requests that may have any value: its groups, or all that it matches",
    )
    parser.add_argument(
        "--connections",
        choices=["in_order", "by_first_message"],
        help="which recorded connection a client gets: the next one (the default for streams), or the next one that "
        "begins with the same message",
    )
    parser.add_argument(
        "--pace", metavar="PACE", type=_pace, help="'recorded' for the recorded pauses, or a factor of them such as 0.5"
    )
    add_place(parser)
    add_faults(parser)
    add_output(parser)


def _pace(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def run_replay(arguments: argparse.Namespace, output: Output, stop: StopRequest) -> int:
    """Run the command; return the exit code."""
    server = replay(
        arguments.cassette,
        ignore=arguments.ignore,
        connections=arguments.connections,
        pace=arguments.pace,
        **LENIENT | place_from(arguments),
    )
    return run_until_stopped(server, output, stop, authority_of(server))
