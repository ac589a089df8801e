"""`serve`: a fake whose rules are in a Python file, or in options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

from windsock.commands.options import add_faults, add_framing, add_output, typed
from windsock.commands.output import Output
from windsock.commands.rules_file import RulesFile, read_rules
from windsock.commands.session import run_until_stopped
from windsock.commands.signals import StopRequest
from windsock.commands.texts import bytes_from, certificate_from
from windsock.harness import serving
from windsock.options.combinations import CONCURRENCIES

__all__ = ["add_serve"]

EXAMPLES = r"""
examples:
  windsock serve --port 4000 --on 'PING\r\n' '+PONG\r\n'
  windsock serve --protocol redis                  a small redis, with a state of its own
  windsock serve --framing lines --reply 'ok\n' --fault 'Delay(0.5)'
  windsock serve --udp --echo
  windsock serve --tls --certificate expired --protocol http
  windsock serve fake.py --json                    fake.py has:  def rules(server): server.on(b"A").reply(b"B")
"""
READY = {"redis": "store", "smtp": "session", "mqtt": "broker", "postgresql": "session", "websocket": "session"}
"""The protocols that windsock has ready rules for, and the function that adds them."""


def add_serve(commands: Any) -> None:
    """Add the command to those of a parser."""
    parser = commands.add_parser(
        "serve",
        help="a fake server, with rules from a file or from options",
        description="Serve a fake, and print what comes and goes, until Ctrl-C or SIGTERM.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", help="a Python file with `def rules(server):`")
    _add_answers(parser)
    _add_place(parser)
    _add_tls(parser)
    add_framing(parser)
    parser.add_argument("--concurrency", choices=CONCURRENCIES, help="how requests are handled (default: threading)")
    add_faults(parser)
    add_output(parser)
    parser.set_defaults(run=serve)


def _add_answers(parser: argparse.ArgumentParser) -> None:
    data = typed(bytes_from)
    parser.add_argument(
        "--on",
        nargs=2,
        metavar=("MESSAGE", "REPLY"),
        action="append",
        default=[],
        type=data,
        help=r"answer this message so; both may have escapes: \r \n \t \0 \\ \xHH, and \- for a dash "
        "at the start. Can be given several times",
    )
    others = parser.add_mutually_exclusive_group()
    others.add_argument("--reply", metavar="REPLY", type=data, help="answer every other message so")
    others.add_argument("--echo", action="store_true", help="answer every other message with itself")
    parser.add_argument("--greet", metavar="BYTES", type=data, help="send this on each new connection first")


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="the port (default: any that is free)")
    parser.add_argument("--allow-external", action="store_true", help="let other machines connect, with --host 0.0.0.0")
    parser.add_argument("--unix", metavar="PATH", help="a Unix socket instead of a port; @NAME for an abstract one")
    parser.add_argument("--udp", action="store_true", help="datagrams; with --unix those of a Unix socket")


def _add_tls(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--tls", action="store_const", const=True, help="speak TLS, with a certificate that windsock makes"
    )
    group.add_argument(
        "--mutual-tls", action="store_const", const="mutual", dest="tls", help="and ask clients for theirs"
    )
    group.add_argument("--starttls", action="store_const", const="starttls", dest="tls", help="begin in the clear")
    parser.add_argument(
        "--certificate",
        metavar="WHAT",
        action="append",
        help="'expired', 'wrong_name', ..., or names that it is for, or PEM files (chain and key)",
    )


def serve(arguments: argparse.Namespace, output: Output, stop: StopRequest) -> int:
    """Run the command; return the exit code."""
    file = None if arguments.file is None else read_rules(arguments.file)
    options = ({} if file is None else file.options) | _options(arguments)
    with_default = options if "framing" in options else options | _default_framing(arguments)
    server = serving(**with_default)
    try:
        _add_rules(server, arguments, file)
        facts = {"certificate authority": server.ca_file} if arguments.tls else {}
    except BaseException:
        server.stop()
        raise
    return run_until_stopped(server, output, stop, facts)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the keywords of `serving()` that options give."""
    path = arguments.unix
    given = {
        "transport": ("unix_datagram" if path else "udp") if arguments.udp else "unix_stream" if path else None,
        "path": f"\0{path[1:]}" if path and path.startswith("@") else path,
        "certificate": certificate_from(arguments.certificate),
        "faults": arguments.fault or None,
        "allow_external": arguments.allow_external or None,
        **{
            name: getattr(arguments, name)
            for name in ("host", "port", "tls", "framing", "concurrency", "seed", "redact")
        },
    }
    found = {name: value for name, value in given.items() if value is not None}
    return found | {"strict": arguments.strict, "allow_unused": not arguments.strict}


def _default_framing(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the framing that options for answers need on a stream."""
    if arguments.udp:
        return {}
    return {"framing": "lines"} if arguments.reply is not None else {"framing": "any"} if arguments.echo else {}


def _add_rules(server: Any, arguments: argparse.Namespace, file: RulesFile | None) -> None:
    if arguments.greet is not None:
        server.greet(arguments.greet)
    for message, reply in arguments.on:
        server.on(message).reply(reply)
    if file is not None:
        file.apply(server)
    if arguments.reply is not None:
        server.reply(arguments.reply, times=None)
    elif arguments.echo:
        server.echo()
    elif file is None and arguments.framing in READY:
        _ready_rules(arguments.framing)(server)


def _ready_rules(protocol: str) -> Callable[[Any], object]:
    found: Callable[[Any], object] = getattr(import_module(f"windsock.protocols.{protocol}"), READY[protocol])
    return found
