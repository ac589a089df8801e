"""Where programs are: the directories of PATH, and those where servers are besides; and whether a module is there."""

from __future__ import annotations

import importlib.util

from windsock.errors import NotInstalled
from windsock.net.system import os
from windsock.programs.errors import ProgramMissing

__all__ = ["find_module", "find_program"]

SYSTEM_PLACES = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where servers are, besides the directories of PATH."""
VERSIONED = "/usr/lib/postgresql"
"""Where Debian has the servers of PostgreSQL, each version in a directory of its own."""


def find_program(word: str, path: str | None = None, install: str = "") -> str:
    """Return the path of a program; `path` is what to use for PATH. Raises ProgramMissing, which says `install`."""
    if "/" in word:
        if _can_run(word):
            return os.path.abspath(word)
        raise ProgramMissing(word, (), install)
    path = path or os.environ.get("PATH") or "/usr/local/bin:/usr/bin:/bin"
    places = list(dict.fromkeys([*filter(None, path.split(":")), *SYSTEM_PLACES]))
    found = next((f"{place}/{word}" for place in (*places, *_versions()) if _can_run(f"{place}/{word}")), None)
    if found is None:
        raise ProgramMissing(word, places, install)
    return found


def find_module(name: str, install: str = "") -> str:
    """Return the name of a Python module if it is there, else raise NotInstalled, which says `install`."""
    if importlib.util.find_spec(name) is None:
        raise NotInstalled(f"there is no Python module {name!r}; install it: {install or f'pip install {name}'}")
    return name


def _versions() -> list[str]:
    """Return the directories of the versions that are installed, the latest first."""
    try:
        names = [each for each in os.listdir(VERSIONED) if each.isdecimal()]
    except OSError:
        return []
    return [f"{VERSIONED}/{each}/bin" for each in sorted(names, key=int, reverse=True)]


def _can_run(path: str) -> bool:
    return bool(os.path.isfile(path) and os.access(path, os.X_OK))
