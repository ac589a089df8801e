"""The keywords of `real_server()`, the recipes that bring some, and the options that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from windsock.errors import UsageError
from windsock.net.system import os
from windsock.programs.options import ProgramOptions, words_of
from windsock.programs.readiness import readiness_of
from windsock.scripts.checks import check_keywords

if TYPE_CHECKING:
    from windsock.programs.running import RealServer
    from windsock.scripts import Script

__all__ = ["ProgramKeywords", "Recipe", "Words", "options_from"]

Words = Sequence["str | os.PathLike[str]"]
"""A command."""


class ProgramKeywords(TypedDict, total=False):
    """The keywords of `real_server()`; their defaults are in ProgramOptions."""

    ready: str | bytes | Any | Callable[[RealServer], object] | Script
    files: Mapping[str, str | bytes | os.PathLike[str]]
    env: Mapping[str, str | None]
    cwd: str | os.PathLike[str] | None
    host: str
    user: str | None
    transport: str
    limits: Mapping[str, int]
    timeout: float
    stop_timeout: float
    stop_signal: int
    framing: Any
    name: str | None
    strict: bool
    redact: Any
    install: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `real_server()` takes in the place of a command: the command, and keywords of `real_server()`."""

    command: Sequence[str]
    keywords: ProgramKeywords

    def with_keywords(self, given: ProgramKeywords) -> ProgramKeywords:
        """Return its keywords with those that a test has passed, which take precedence, file by file."""
        keywords: ProgramKeywords = {**self.keywords, **given}
        if "files" in self.keywords and "files" in given:
            keywords["files"] = {**self.keywords["files"], **given["files"]}
        if "env" in self.keywords and "env" in given:
            keywords["env"] = {**self.keywords["env"], **given["env"]}
        return keywords


def options_from(command: Words | Recipe, **keywords: Unpack[ProgramKeywords]) -> ProgramOptions:
    """Return the options. Raises UsageError for invalid values."""
    check_keywords("real_server", keywords, ProgramKeywords)
    if not hasattr(os, "waitid"):
        raise UsageError("real_server() needs os.waitid(), which Python on macOS has from 3.13 on")
    words: Any = command
    if isinstance(command, Recipe):
        words, keywords = command.command, command.with_keywords(keywords)
    options = ProgramOptions(command=words_of(words), **{key: keywords[key] for key in keywords})  # type: ignore[literal-required]
    options.check()
    readiness_of(options.ready)
    return options
