"""A recipe: what `real_server()` needs to know of a program that is started often."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from windsock.errors import NotInstalled
from windsock.programs.lookup import find_program

if TYPE_CHECKING:
    from windsock.programs.options import ProgramKeywords

__all__ = ["Recipe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A program for `real_server()`, in the place of a command.

    Its words are those of `command`, then the paths of `programs`, then `words`. `keywords` are those of
    `real_server()`; what a test passes besides comes first. `module` is a Python module that has to be installed.
    `install` says how to install what is missing.
    """

    command: Sequence[str]
    install: str
    programs: Sequence[str] = ()
    words: Sequence[str] = ()
    module: str = ""
    keywords: ProgramKeywords = field(default_factory=lambda: {})

    def arguments(self, given: ProgramKeywords) -> tuple[list[str], ProgramKeywords]:
        """Return the command and the keywords, with those that a test has passed. Raises NotInstalled."""
        if self.module and importlib.util.find_spec(self.module) is None:
            raise NotInstalled(f"real_server(): there is no Python module {self.module!r}; install it: {self.install}")
        paths = [find_program(each, install=self.install) for each in self.programs]
        keywords: ProgramKeywords = {"install": self.install, **self.keywords, **given}
        keywords["files"] = {**self.keywords.get("files", {}), **given.get("files", {})}
        keywords["env"] = {**self.keywords.get("env", {}), **given.get("env", {})}
        return [*self.command, *paths, *self.words], keywords
