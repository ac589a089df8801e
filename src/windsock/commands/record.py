"""`record`: a proxy in front of a real server that keeps what passes in a cassette."""

from __future__ import annotations

import argparse
from typing import Any

from windsock.cassettes import record
from windsock.commands.options import add_command, add_faults, add_output
from windsock.commands.output import Output
from windsock.commands.proxy import add_target, options_from
from windsock.commands.session import run_until_stopped
from windsock.commands.signals import StopRequest

__all__ = ["add_record"]

EXAMPLES = """
examples:
  windsock record localhost:6379 login.txt --protocol redis
  windsock record localhost:25 mail.txt --listen :2525 --protocol smtp --redact 'ticket=(\\w+)'
  windsock record localhost:53 names.txt --udp
  windsock record api.example:443 api.txt --tls --upstream-tls --protocol http
"""


def add_record(commands: Any) -> None:
    """Add the command to those of a parser."""
    parser = add_command(
        commands,
        "record",
        help="keep conversations with a real server in a cassette",
        description="Carry connections to TARGET, print what passes, and write it to CASSETTE at the end, which is "
        "Ctrl-C or SIGTERM. Until then a cassette that is there stays as it was.",
        examples=EXAMPLES,
        run=run_record,
    )
    add_target(parser)
    parser.add_argument("cassette", metavar="CASSETTE", help="the file to write")
    add_faults(parser)
    add_output(parser)


def run_record(arguments: argparse.Namespace, output: Output, stop: StopRequest) -> int:
    """Run the command; return the exit code."""
    options, facts = options_from(arguments)
    server = record(arguments.target, arguments.cassette, **options)
    return run_until_stopped(server, output, stop, facts | {"cassette": arguments.cassette})
