"""Options that several commands have, and the values that they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from windsock.commands.fault_text import fault_from, fault_names
from windsock.commands.texts import bytes_from, pattern_from, size_or_word
from windsock.errors import UsageError

__all__ = ["add_command", "add_faults", "add_framing", "add_output", "add_redact", "typed"]

FAULT = (
    "what goes wrong, as in code: 'Delay(0.2)', 'Reset(after_bytes=100), connections=first(2)', 'flaky'; "
    "can be given several times. Values are literals, first(), slice(), range() and re.compile(). There are: "
)


def typed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a type for argparse, whose message is that of the UsageError."""

    def value(text: str) -> Any:
        try:
            return read(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return value


def add_command(
    commands: Any, name: str, *, help: str, description: str, examples: str, run: Callable[..., int]
) -> argparse.ArgumentParser:
    """Add a command to those of a parser; return its own parser. `run` gets the arguments, Output and StopRequest."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_framing(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where messages end. Their value is `framing`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--protocol", metavar="NAME", dest="framing", help="messages of redis, http, smtp, ...")
    group.add_argument(
        "--framing", metavar="HOW", type=size_or_word, help="'lines', 'eof', 'any', or the size of each message"
    )
    group.add_argument(
        "--delimiter", metavar="BYTES", dest="framing", type=typed(bytes_from), help="what ends each message"
    )


def add_faults(parser: argparse.ArgumentParser) -> None:
    """Add `--fault` and `--seed`."""
    parser.add_argument(
        "--fault",
        metavar="FAULT",
        action="append",
        default=[],
        type=typed(fault_from),
        help=FAULT + ", ".join(fault_names()),
    )
    parser.add_argument("--seed", type=int, metavar="N", help="the seed of the faults' random numbers (default: 0)")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options about what is printed, and what is an error."""
    parser.add_argument("--json", action="store_true", help="print JSON lines, an object for each event")
    add_redact(parser)
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 if something went wrong that would fail a test: errors, unmet expectations, unfired faults",
    )


def add_redact(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what is secret."""
    parser.add_argument(
        "--redact",
        metavar="REGEX",
        action="append",
        type=typed(pattern_from),
        help="what is secret in all that is shown, besides the usual: its groups, or all that it matches",
    )
