"""Secrets in reports: the ini values that say what is secret, and failure texts with that masked.

Loaded for each run of pytest, so what it needs is imported on first use.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

__all__ = ["add_ini_values", "clean", "configure", "forget", "unconfigure"]

PATTERNS, DEFAULTS = "windsock_redact", "windsock_redact_defaults"
COLOR = re.compile(r"(\x1b\[[\d;]*m)")
FRAME = re.compile(r'[ |+]*File "')


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


def clean(report: pytest.TestReport) -> None:
    """Mask secrets in what a failed test's report says of exceptions, and escape what terminals and xdist do not take.

    The test's own source is shown as it is.
    """
    if isinstance(report.longrepr, str):
        report.longrepr = _shown(report.longrepr)
    for traceback, crash, _ in _chain(report.longrepr):
        if crash is not None:
            crash.message = _with_colors(crash.message)
        for entry in getattr(traceback, "reprentries", ()):
            _clean_entry(entry)
    report.sections = [
        (_plain(title), _plain(words)) if title.startswith("windsock") else (title, words)
        for title, words in report.sections
    ]


def _chain(longrepr: Any) -> list[tuple[Any, Any, Any]]:
    found = getattr(longrepr, "chain", None)
    if found is None and hasattr(longrepr, "reprtraceback"):
        found = [(longrepr.reprtraceback, getattr(longrepr, "reprcrash", None), None)]
    return found or []


def _clean_entry(entry: Any) -> None:
    """Mask the text of an exception and the values of local variables, and leave lines of source."""
    if hasattr(entry, "reprlocals"):
        entry.lines = [f"E{_with_colors(each[1:])}" if each.startswith("E") else _plain(each) for each in entry.lines]
    else:
        entry.lines = [_plain(each) if FRAME.match(each) else _shown(each) for each in entry.lines]
    if (values := getattr(entry, "reprlocals", None)) is not None:
        values.lines = [_shown(each) for each in values.lines]
    if (arguments := getattr(entry, "reprfuncargs", None)) is not None:
        arguments.args = [(name, _shown(value)) for name, value in arguments.args]


def _shown(words: str) -> str:
    from windsock import redaction

    return _plain(redaction.text(words))


def _with_colors(words: str) -> str:
    """Return the same for text in which pytest may have colors, as in the explanation of an assert."""
    from windsock import redaction

    parts = COLOR.split(redaction.text(words))
    return "".join(each if COLOR.fullmatch(each) else _plain(each) for each in parts)


def _plain(words: str) -> str:
    from windsock.errors import visible

    return visible(words, but="\n\t")
