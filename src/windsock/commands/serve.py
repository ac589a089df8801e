"""`serve`: a fake whose rules are in a Python file, or in options; or a cassette."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

from windsock.cassettes import replay
from windsock.commands.options import add_command, add_faults, add_framing, add_output, typed
from windsock.commands.output import Output
from windsock.commands.rules_file import RulesFile, read_rules
from windsock.commands.session import run_until_stopped
from windsock.commands.signals import StopRequest
from windsock.commands.texts import bytes_from, certificate_from
from windsock.errors import UsageError
from windsock.harness import RunningServer, serving
from windsock.options.combinations import CONCURRENCIES

__all__ = ["LENIENT", "add_place", "add_serve", "authority_of", "place_from"]

EXAMPLES = r"""
examples:
  windsock serve --port 4000 --on 'PING\r\n' '+PONG\r\n'
  windsock serve --protocol redis                  a small redis, with a state of its own
  windsock serve --framing lines --reply 'ok\n' --fault 'Delay(0.5)'
  windsock serve --udp --echo
  windsock serve --tls --certificate expired --protocol http
  windsock serve fake.py --json                    fake.py has:  def rules(server): server.on(b"A").reply(b"B")
"""
LENIENT = {"strict": False, "allow_unused": True}
"""Keywords without `--strict`."""
OF_FAKES = ("on", "reply", "echo", "greet", "framing", "udp", "concurrency")
READY = {"redis": "store", "smtp": "session", "mqtt": "broker", "postgresql": "session", "websocket": "session"}
"""The protocols that windsock has ready rules for, and the function that adds them."""


def add_serve(commands: Any) -> None:
    """Add the command to those of a parser."""
    parser = add_command(
        commands,
        "serve",
        help="a fake server, with rules from a file or from options",
        description="Serve a fake, and print what comes and goes, until Ctrl-C or SIGTERM.",
        examples=EXAMPLES,
        run=serve,
    )
    parser.add_argument("file", nargs="?", help="a Python file with `def rules(server):`, or a cassette")
    _add_answers(parser)
    add_place(parser)
    parser.add_argument("--udp", action="store_true", help="datagrams; with --unix those of a Unix socket")
    _add_tls(parser)
    add_framing(parser)
    parser.add_argument("--concurrency", choices=CONCURRENCIES, help="how requests are handled (default: threading)")
    add_faults(parser)
    add_output(parser)


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


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a server listens: see `place_from`."""
    parser.add_argument("--host", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="the port (default: any that is free)")
    parser.add_argument("--allow-external", action="store_true", help="let other machines connect, with --host 0.0.0.0")
    parser.add_argument("--unix", metavar="PATH", help="a Unix socket instead of a port; @NAME for an abstract one")


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
    if arguments.file is not None and not arguments.file.endswith(".py"):
        return _serve_cassette(arguments, output, stop)
    file = None if arguments.file is None else read_rules(arguments.file)
    options = LENIENT | ({} if file is None else file.options) | _options(arguments)
    with_default = options if "framing" in options else options | _default_framing(arguments)
    server = serving(**with_default)
    try:
        _add_rules(server, arguments, file)
    except BaseException:
        server.stop()
        raise
    return run_until_stopped(server, output, stop, authority_of(server))


def _serve_cassette(arguments: argparse.Namespace, output: Output, stop: StopRequest) -> int:
    """Replay a cassette. Raises UsageError for an option that is for fakes."""
    given = [name for name in OF_FAKES if getattr(arguments, name) not in (None, False, [])]
    if given:
        raise UsageError(
            f"--{given[0]} with {arguments.file}: a cassette says itself what is answered; the file of a fake ends "
            "with .py"
        )
    tls = {"tls": arguments.tls, "certificate": certificate_from(arguments.certificate)}
    options = {name: value for name, value in tls.items() if value is not None}
    server = replay(arguments.file, **LENIENT | place_from(arguments) | options)
    return run_until_stopped(server, output, stop, authority_of(server))


def authority_of(server: RunningServer) -> dict[str, str]:
    """Return what clients of a server with TLS have to trust, as it is said to the user."""
    return {} if server.options.encryption is None else {"certificate authority": server.ca_file}


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the keywords of `serving()` that options give."""
    is_unix = arguments.unix is not None
    given = {
        "transport": ("unix_datagram" if is_unix else "udp") if arguments.udp else "unix_stream" if is_unix else None,
        "certificate": certificate_from(arguments.certificate),
        "tls": arguments.tls,
        "framing": arguments.framing,
        "concurrency": arguments.concurrency,
    }
    return place_from(arguments) | {name: value for name, value in given.items() if value is not None}


def place_from(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the keywords that say where a server listens, in what weather, and what fails it."""
    path = arguments.unix
    given = {
        "host": arguments.host,
        "port": arguments.port,
        "path": f"\0{path[1:]}" if path and path.startswith("@") else path,
        "allow_external": arguments.allow_external or None,
        "faults": arguments.fault or None,
        "seed": arguments.seed,
        "redact": arguments.redact,
    }
    strict = {"strict": True, "allow_unused": False} if arguments.strict else {}
    return {name: value for name, value in given.items() if value is not None} | strict


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
