"""The order of the pages: that of the links in index.md, section by section."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\(([\w./-]+)\.md\)")
OUTSIDE = {f"](../{name}.md)": f"](reference/{name.lower()}.md)" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")}
"""Links to pages that are not in this directory, and where they are on the site."""
MORE = {"How to": "cookbook/index", "Reference": "reference/index"}
"""Pages at the end of sections, if they exist and index.md has no link to them: the reference is made for the site."""
COOKBOOK = "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
"""The contents of the cookbook: as many pages as its folder has."""


def complete(app: Any, name: str, source: list[str]) -> None:
    """Lead links to where pages are on the site; give index.md a table of contents for each of its sections."""
    for link, place in OUTSIDE.items():
        source[0] = source[0].replace(link, place)
    if name == "index":
        source[0] = with_contents(source[0], Path(app.srcdir))
    if name == "cookbook/index":
        source[0] += COOKBOOK


def with_contents(text: str, directory: Path) -> str:
    """Return the text with a hidden `toctree` at the end of each section that has links to pages."""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return "".join(section + contents_of(section, directory) for section in sections)


def contents_of(section: str, directory: Path) -> str:
    """Return the `toctree` of a section: its heading, and the pages that it links to, by the words of the links."""
    title = section.partition("\n")[0].removeprefix("## ")
    if section.startswith("# "):
        return ""
    pages = {page: f"{' '.join(words.split())} <{page}>".replace("`", "") for words, page in LINK.findall(section)}
    if (more := MORE.get(title)) and (directory / f"{more}.md").exists():
        pages.setdefault(more, more)
    options = f":hidden:\n:caption: {title}\n\n"
    return "\n```{toctree}\n" + options + "\n".join(pages.values()) + "\n```\n\n" if pages else ""
