"""`import`: a capture of network traffic becomes a cassette."""

from __future__ import annotations

import argparse
from typing import Any

from windsock.cassettes.importing import import_capture
from windsock.commands.options import add_command, add_framing, add_redact, typed
from windsock.commands.output import Output
from windsock.commands.signals import StopRequest
from windsock.commands.texts import address_from
from windsock.exploration.progress_line import ProgressLine

__all__ = ["add_import"]

EXAMPLES = """
examples:
  windsock import production.pcapng -o login.txt --protocol redis
  windsock import production.pcap -o login.txt --server 10.0.0.5:6379 --redact 'ticket=(\\w+)'
  windsock import names.pcap -o names.txt --udp --server 10.0.0.2:53
"""


def add_import(commands: Any) -> None:
    """Add the command to those of a parser."""
    parser = add_command(
        commands,
        "import",
        help="make a cassette of captured traffic",
        description="Write the connections to one server in a pcap or pcapng file to a cassette. Needs dpkt.",
        examples=EXAMPLES,
        run=run_import,
    )
    parser.add_argument("capture", metavar="CAPTURE", help="a pcap or pcapng file, such as tcpdump -s 0 -w writes")
    parser.add_argument("-o", "--output", metavar="CASSETTE", required=True, help="the file to write")
    parser.add_argument(
        "--server", metavar="HOST:PORT", type=typed(address_from), help="the server, if the capture has several"
    )
    parser.add_argument("--udp", action="store_true", help="datagrams instead of TCP connections")
    add_framing(parser)
    add_redact(parser)
    parser.set_defaults(json=False)


def run_import(arguments: argparse.Namespace, output: Output, stop: StopRequest) -> int:  # noqa: ARG001  # as of others
    """Run the command; return the exit code."""
    with ProgressLine("importing") as progress:
        result = import_capture(
            arguments.capture,
            arguments.output,
            server=arguments.server,
            transport="udp" if arguments.udp else "tcp",
            framing=arguments.framing,
            redact=arguments.redact,
            progress=progress.show,
        )
    output.print([f"{arguments.output}:", *result.lines()])
    return 0
