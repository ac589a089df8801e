"""The code of a regression test for a weather."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from windsock import faults

if TYPE_CHECKING:
    from windsock.strategies.schedules import Schedule

__all__ = ["CallSite", "keywords_code", "regression_test", "schedule_code"]

WIDTH = 100
"""The most columns of a weather on one line."""


@dataclass(frozen=True, slots=True)
class CallSite:
    """How the code of a test gets what the explored function takes: a fixture, and the `with` around the call."""

    opened: str
    """The expressions between `with` and the colon; a `weather` is defined before."""
    value: str
    """What the function is called with."""
    fixture: str = ""


def regression_test(name: str, weather: Schedule, call_site: CallSite) -> str:
    """Return the code of a test that calls the function of that name under a weather; it stands beside the function."""
    kinds = "_and_".join(dict.fromkeys(_in_words(type(fault).__name__) for fault, _ in weather))
    code = schedule_code(weather)
    used = sorted(set(re.findall(r"\b[A-Z]\w+(?=\()", code)) & {*faults.__all__})
    title = f"test_{name.removeprefix('test_')}_under_{kinds}"
    return (
        f"import windsock\nfrom windsock.faults import {', '.join(used)}\n\n\n"
        f"def {title}({call_site.fixture}):\n"
        f"    weather = {code}\n"
        f"    with {call_site.opened}:\n"
        f"        {name}({call_site.value})\n"
    )


def schedule_code(weather: Schedule) -> str:
    """Return a weather as code: on one line, or a line for each fault."""
    pairs = [f"({fault!r}, {_dict_code(where)})" for fault, where in weather]
    line = f"[{', '.join(pairs)}]"
    return line if len(line) <= WIDTH else "[\n" + "".join(f"        {each},\n" for each in pairs) + "    ]"


def keywords_code(options: Mapping[str, Any]) -> str:
    """Return keywords as code; classes and functions by their names."""
    return ", ".join(f"{name}={_code(value)}" for name, value in options.items())


def _dict_code(values: Mapping[str, Any]) -> str:
    return f"{{{', '.join(f'{_code(name)}: {_code(value)}' for name, value in values.items())}}}"


def _code(value: Any) -> str:
    """Return a value as code, with the quotes that formatters choose."""
    if isinstance(value, str) and value.isprintable() and not {*value} & {'"', "\\"}:
        return f'"{value}"'
    return str(getattr(value, "__name__", None) or repr(value))


def _in_words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
