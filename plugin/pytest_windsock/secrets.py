"""Secrets: the ini values that say what is masked in all that is shown.

Loaded for each run of pytest, so what it needs is imported on first use.
"""

from __future__ import annotations

import re
import sys

import pytest

__all__ = ["add_ini_values", "configure", "forget", "unconfigure"]

PATTERNS, DEFAULTS = "windsock_redact", "windsock_redact_defaults"


def add_ini_values(parser: pytest.Parser) -> None:
    """Add `windsock_redact` and `windsock_redact_defaults`."""
    parser.addini(
        PATTERNS,
        "windsock: regular expressions, a line each: what they match (their groups, if they have some) is masked in "
        "all that is shown or written",
        type="linelist",
        default=[],
    )
    parser.addini(
        DEFAULTS,
        "windsock: whether the usual secrets are masked: values of headers, logins and keys (default: true)",
        type="bool",
        default=True,
    )


def configure(config: pytest.Config) -> None:
    """Say what is secret in this run. Raises pytest.UsageError for an expression that does not compile."""
    patterns = [_compiled(each) for each in config.getini(PATTERNS)]
    has_defaults = config.getini(DEFAULTS)
    if patterns or not has_defaults:
        from windsock import redaction

        redaction.use(redaction.rules_from(patterns), has_defaults=has_defaults)


def _compiled(line: str) -> re.Pattern[bytes]:
    try:
        return re.compile(line.encode())
    except (re.error, ValueError, OverflowError, RecursionError) as reason:
        raise pytest.UsageError(f"{PATTERNS}: {line!a}: expected a regular expression; {reason}") from None


def unconfigure() -> None:
    """Forget what is secret in this run."""
    forget()
    if (redaction := sys.modules.get("windsock.redaction")) is not None:
        redaction.use()


def forget() -> None:
    """Forget the secrets of the test that is over."""
    if (redaction := sys.modules.get("windsock.redaction")) is not None:
        redaction.forget()
