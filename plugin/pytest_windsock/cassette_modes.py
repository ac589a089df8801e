"""What the fixture `cassette` does in this run: `--windsock-cassettes`. Loaded for each run of pytest."""

from __future__ import annotations

import pytest

__all__ = ["MODES", "add_option", "mode_of"]

MODES = ("replay", "record", "rewrite", "off")
"""The default comes first."""


def add_option(parser: pytest.Parser) -> None:
    """Add --windsock-cassettes, and the ini value for it."""
    parser.getgroup("windsock").addoption(
        "--windsock-cassettes",
        choices=MODES,
        default=None,
        help="windsock: what the fixture `cassette` does: replay recorded conversations and never connect to a real "
        "server (the default); record those that are missing; rewrite all; off: talk to the real servers, keep nothing",
    )
    parser.addini(
        "windsock_cassettes",
        "windsock: the default of --windsock-cassettes: replay, record, rewrite or off",
        default="",
    )


def mode_of(config: pytest.Config) -> str:
    """Return the value of the option, or of the ini value. Raises pytest.UsageError if that is none."""
    mode = str(config.getoption("--windsock-cassettes") or config.getini("windsock_cassettes") or MODES[0])
    if mode not in MODES:
        raise pytest.UsageError(f"windsock_cassettes: expected one of {', '.join(MODES)}; got {mode!r}")
    return mode
