"""The reference, made from the package itself: docstrings and types, the plugin's options, the table of keywords."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import public_names

ROOT = Path(__file__).parents[2]
KINDS = ("fixture", "keyword", "ini")
"""What the reference describes beside Python's objects and options of the command line."""


def write(directory: Path) -> None:
    """Make a directory hold the pages of the reference; those that are the same stay as they are."""
    directory.mkdir(exist_ok=True)
    files = {directory / f"{name}.md": text for name, text in pages().items()}
    for stale in set(directory.glob("*.md")) - files.keys():
        stale.unlink()
    for file, text in files.items():
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def pages() -> dict[str, str]:
    """Return each page's text by its name."""
    modules = {
        module.replace(".", "-"): page_of_module(module) for module in public_names.MODULES if module != "windsock"
    }
    made = {"pytest": page_of_plugin()} | pages_of_front_door() | modules
    return {
        "index": "# All names\n\n```{toctree}\n:maxdepth: 1\n\n" + "\n".join(made) + "\n```\n",
        **made,
        **{name: moved_page(f"{name.upper()}.md") for name in ("changelog", "contributing", "security")},
    }


def moved_page(name: str) -> str:
    """Return a page that stands beside README.md, with links for a place two directories below."""
    return (ROOT / name).read_text().replace("](docs/", "](../")


def page_of_module(module: str) -> str:
    """Return the page with all that a module exports."""
    return page(f"`{module}`", importlib.import_module(module), module, public_names.described_in(module))


def pages_of_front_door() -> dict[str, str]:
    """Return a page for each room that the names of `windsock` come from."""
    rooms: dict[str, dict[str, Any]] = {}
    for name, value in public_names.described_in("windsock").items():
        rooms.setdefault(value.__module__.split(".")[1], {})[name] = value
    ordered = [*FIRST, *sorted(rooms.keys() - set(FIRST))]
    loaded = {room: importlib.import_module(f"windsock.{room}") for room in ordered}
    return {
        f"main-{room}": page(f"`windsock`: {FIRST.get(room, room)}", loaded[room], "windsock", rooms[room])
        for room in ordered
    }


FIRST = {
    "harness": "a server in a test",
    "fakes": "the rules of a fake, and its errors",
    "recording": "what was recorded, and where messages end",
    "scripts": "scripts",
    "clients": "scripted clients",
    "endpoints": "outcomes of scripts",
    "faults": "faults that never fired",
    "proxies": "proxies",
}
"""The rooms behind `windsock` with the titles of their pages, in the order in which a reader needs them."""


def page(title: str, room: Any, module: str, names: dict[str, Any]) -> str:
    """Return a page with a directive for each name, which Sphinx fills in."""
    intro = inspect.cleandoc(room.__doc__ or "")
    directives = "\n".join(directive(f"{module}.{name}", value) for name, value in names.items())
    contents = " · ".join(f":py:obj:`~{module}.{name}`" for name in names)
    return f"# {title}\n\n{intro}\n\n```{{eval-rst}}\n{contents}\n\n{directives}```\n"


def directive(path: str, value: Any) -> str:
    """Return the directive for what is imported by this path."""
    if not isinstance(value, type):
        return f".. auto{'function' if inspect.isroutine(value) else 'data'}:: {path}\n"
    kind = "exception" if issubclass(value, BaseException) else "class"
    return f".. auto{kind}:: {path}\n   :members:\n   :inherited-members:\n"


def page_of_plugin() -> str:
    """Return the page with the fixtures, the marker's keywords, the options and the ini values."""
    parts = {
        "Fixtures": fixtures(),
        "Keywords of the marker, of `serve()` and of `serving()`": keywords(),
        "Options of pytest": options(),
        "Ini values": ini_values(),
    }
    return "# Fixtures, keywords, options, ini values\n" + "".join(
        f"\n## {title}\n\n" + "\n".join(entries) for title, entries in parts.items()
    )


def entry(kind: str, name: str, text: str) -> str:
    """Return a directive that describes one thing."""
    return f"````{{{kind}}} {name}\n\n{text}\n````\n"


def fixtures() -> Iterator[str]:
    """Describe each fixture by its docstring, and the type of its value."""
    for name, fixture in public_names.fixtures().items():
        returned = str(inspect.unwrap(fixture).__annotations__["return"])
        kind = re.sub(r"^Iterator\[(.*)\]$", r"\1", returned)
        yield entry("fixture", name, f"{inspect.getdoc(fixture)}\n\nType: {linked(kind)}")


def linked(name: str) -> str:
    """Return a link to where a public name is described, or the name as code."""
    paths = [f"{module}.{name}" for module in public_names.MODULES if name in public_names.described_in(module)]
    return f"{{py:obj}}`{paths[0]}`" if paths else f"`{name}`"


def keywords() -> Iterator[str]:
    """Describe each keyword by its row in the table of servers.md, its type and its default."""
    from windsock.options.server_options import ServerKeywords

    rows = re.findall(r"^\| (.*`.*) \| (.*) \| (.*) \|$", (ROOT / "docs" / "servers.md").read_text(), re.MULTILINE)
    types = inspect.get_annotations(ServerKeywords)
    for name in public_names.keywords():
        found = [row for cell in (0, 2) for row in rows if f"`{name}`" in row[cell]]
        if not found:
            raise LookupError(f"docs/servers.md has no row for the keyword {name!r}")
        where, default, meaning = found[0]
        text = meaning.replace("](#", "](../servers.md#").replace("](", "](../").replace("](../../", "](../")
        kind = f"\n\nType: `{types[name].__forward_arg__}`" if name in types else ""
        yield entry("keyword", name, f"{where}, default {default}: {text}{kind}")


def options() -> Iterator[str]:
    """Describe each option of pytest's command line by its help."""
    for name, attributes in public_names.plugin_parser().options.items():
        value = f"={attributes['metavar']}" if "metavar" in attributes else ""
        yield entry("option", name + value, attributes["help"].removeprefix("windsock: "))


def ini_values() -> Iterator[str]:
    """Describe each ini value by its help."""
    for name, text in public_names.plugin_parser().ini_values.items():
        yield entry("ini", name, text.removeprefix("windsock: "))
