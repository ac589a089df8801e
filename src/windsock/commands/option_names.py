"""Error messages of the core in the words of a command line: options in the place of Python's keywords."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from windsock.net import addresses

__all__ = ["in_options"]

VALUE = (
    r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|True|False|None|-?\d[\w.]*|\((?:'[^']*'|[\w, ])*\)|\['?[^\]()]*\])?"""
)
ADDRESS = re.compile(r"\('([^']*)', (\d+)\)")
OPTIONS = {
    "allow_external": "--allow-external",
    "certificate": "--certificate",
    "concurrency": "--concurrency",
    "connections": "--connections",
    "host": "--host",
    "ignore": "--ignore",
    "listen": "--listen",
    "pace": "--pace",
    "port": "--port",
    "redact": "--redact",
    "seed": "--seed",
    "server_name": "--server-name",
    "upstream_tls": "--upstream-tls",
}
"""Options whose keyword has the same name, and the same value."""
OTHERS: dict[str, tuple[str, dict[Any, str]]] = {
    "faults": ("--fault", {}),
    "path": ("--unix", {}),
    "tls": ("--tls", {"mutual": "--mutual-tls", "starttls": "--starttls"}),
    "transport": ("--udp", {"unix_datagram": "--unix with --udp", "unix_stream": "--unix", "tcp": "streams"}),
}
"""Options of other names; and how some values are written."""
DEST = {"faults": "fault", "path": "unix", "transport": "udp"}
"""The attributes of the parsed command line where they differ from the keyword."""
SENTENCES = (
    (re.compile(r"; others are 'lines'.*"), "; others are --framing with lines, eof, any or a size, and --delimiter"),
    (re.compile(r", files: \('cert.*"), ", names that it is for, or PEM files (chain and key), each with the option"),
    (re.compile(r"pass allow_unused=True"), "leave out --strict"),
)
"""What is about values that only code can have."""


def in_options(message: str, arguments: argparse.Namespace, words: Sequence[str]) -> str:
    """Return an error message with the options of the command instead of keywords; `words` is its command line."""
    for pattern, sentence in SENTENCES:
        message = pattern.sub(sentence, message)
    for keyword in (*OPTIONS, *OTHERS, "framing"):
        if hasattr(arguments, DEST.get(keyword, keyword)):
            pattern = re.compile(rf"(?<![\w.]){keyword}=({VALUE})")
            message = pattern.sub(_writer(keyword, words), message)
    return ADDRESS.sub(lambda found: addresses.show((found[1], int(found[2]))), message)


def _writer(keyword: str, words: Sequence[str]) -> Callable[[re.Match[str]], str]:
    def written(found: re.Match[str]) -> str:
        try:
            value = ast.literal_eval(found[1]) if found[1] else True
        except (ValueError, SyntaxError):
            return found[0]
        if keyword == "framing":
            return _with_value(_framing_option(words), value)
        option, special = OTHERS.get(keyword) or (OPTIONS[keyword], {})
        if isinstance(value, str) and value in special:
            return special[value]
        return option if keyword == "transport" else _with_value(option, value)

    return written


def _framing_option(words: Sequence[str]) -> str:
    """Return the option that was given: all three say where messages end."""
    given = (each for each in ("--protocol", "--delimiter") if any(word.startswith(each) for word in words))
    return next(given, "--framing")


def _with_value(option: str, value: Any) -> str:
    if value is True:
        return option
    if value is False or value is None:
        return f"no {option}"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int):
        return f"{option} {addresses.show(value)}"
    values = value if isinstance(value, list | tuple) else [value]
    return " ".join(f"{option} {shlex.quote(str(each))}" for each in values) or option
