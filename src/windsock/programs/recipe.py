"""A recipe: the command and the keywords of a program, to be passed to `real_server()` as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windsock.programs.options import ProgramKeywords

__all__ = ["Recipe"]


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
