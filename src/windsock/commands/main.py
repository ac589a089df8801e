"""The program `windsock`: reads the command line, runs a command, and returns its exit code."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from typing import TextIO

from windsock.commands.import_capture import add_import
from windsock.commands.option_names import in_options
from windsock.commands.output import Output
from windsock.commands.proxy import add_proxy
from windsock.commands.record import add_record
from windsock.commands.replay import add_replay
from windsock.commands.serve import add_serve
from windsock.commands.signals import StopRequest, StopSignals
from windsock.errors import WindsockError
from windsock.net.system import os

__all__ = ["main", "parser", "run"]

DESCRIPTION = "Fake servers and fault-injecting proxies, for any program that talks over a socket."
EPILOG = """
examples:
  windsock serve --port 4000 --on 'PING\\r\\n' '+PONG\\r\\n'
  windsock proxy localhost:6379 --protocol redis --fault 'Delay(0.1)'
  windsock record localhost:6379 login.txt --protocol redis
  windsock replay login.txt --port 6379
  windsock serve --help

exit codes: 0 after Ctrl-C or SIGTERM, 1 if something went wrong with --strict, or if the output was closed, 2 if the
command line is wrong, or an address or a file cannot be used
"""
WRONG = 2


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the words name (those of the process by default), in the main thread."""
    for each in (sys.stdout, sys.stderr):
        if isinstance(each, io.TextIOWrapper):
            each.reconfigure(errors="backslashreplace")
    with StopSignals() as stop:
        return run(words, sys.stdout, stop)


def run(words: Sequence[str] | None, stream: TextIO, stop: StopRequest) -> int:
    """Run a command in any thread until `stop` says so. Errors go to stderr.

    Raises SystemExit for a command line that argparse refuses, and after help.
    """
    arguments = parser().parse_args(words)
    try:
        code: int = arguments.run(arguments, Output(stream, is_json=arguments.json), stop)
    except WindsockError as error:
        message = in_options(str(error), arguments, sys.argv[1:] if words is None else words)
        print(f"windsock {arguments.command}: error: {message}", file=sys.stderr)
        return WRONG
    except BrokenPipeError:
        _let_go(stream)
        return 1
    return code


def _let_go(stream: TextIO) -> None:
    """Make the interpreter's last flush of a closed output succeed."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; what it returns has the function of the command as `run`."""
    made = argparse.ArgumentParser(
        prog="windsock",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version, and exit")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (add_serve, add_proxy, add_record, add_replay, add_import):
        add(commands)
    return made


class _ShowVersion(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"windsock {version('pytest-windsock')}")
        parser.exit()
