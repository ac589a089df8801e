"""Placeholders in commands, files and the environment: `{port}`, `{port:admin}`, `{path}`, `{host}`, `{tmp}`.

`{program:initdb}` is the path of a further program, `{module:aiosmtpd}` the name of a Python module; either is looked
for when the program starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from windsock.errors import UsageError
from windsock.programs.lookup import find_module, find_program
from windsock.programs.ports import free_port

__all__ = ["Placeholders", "check_words"]

PLACEHOLDER = re.compile(r"\{(?:(port|path)(?::(\w+))?|(host|tmp)|(program|module):([\w-]+))\}")
ALIKE = re.compile(r"\{(\w+)(?::\w+)?\}")
KINDS = ("port", "path", "host", "tmp", "program", "module")


class Placeholders:
    """The addresses that one program gets, made as its placeholders are filled in; the first one is the main one.

    `host` is the IP address that the program listens on, `directory` its private directory, `install` says how to
    install what is missing.
    """

    def __init__(self, host: str, directory: str, install: str = "") -> None:
        self.host = host
        self.directory = directory
        self._install = install
        self.addresses: dict[str, Any] = {}
        """(host, port) or a path, by name; without a name by "port" or "path"."""

    def fill(self, text: str) -> str:
        """Return text with its placeholders filled in; other braces stay as they are."""
        return PLACEHOLDER.sub(self._value, text)

    def choose(self, texts: Iterable[str]) -> None:
        """Choose the addresses for the placeholders in some texts, in their order."""
        for each in texts:
            self.fill(each)

    def choose_ports_anew(self) -> None:
        """Choose other ports; paths stay, since they are private."""
        for name, address in self.addresses.items():
            if isinstance(address, tuple):
                self.addresses[name] = self.host, free_port(self.host)

    @property
    def ports(self) -> list[int]:
        """The ports that were chosen."""
        return [each[1] for each in self.addresses.values() if isinstance(each, tuple)]

    def main(self) -> Any:
        """Return the address of the placeholder without a name, else the first one; None if there are none."""
        given = [self.addresses[each] for each in ("port", "path") if each in self.addresses]
        return next(iter([*given, *self.addresses.values()]), None)

    def _value(self, found: re.Match[str]) -> str:
        kind, name, simple, needed, what = found.groups()
        if needed is not None:
            find = find_program if needed == "program" else find_module
            return find(what, install=self._install)
        if simple is not None:
            return self.host if simple == "host" else self.directory
        return self._port(name or kind) if kind == "port" else self._path(name or kind)

    def _port(self, name: str) -> str:
        address = self._once(name, lambda: (self.host, free_port(self.host)))
        if not isinstance(address, tuple):
            raise UsageError(f"{{port:{name}}} and {{path:{name}}}: expected one kind of address for a name")
        return str(address[1])

    def _path(self, name: str) -> str:
        address = self._once(name, lambda: f"{self.directory}/{'s' if name == 'path' else name}")
        if not isinstance(address, str):
            raise UsageError(f"{{port:{name}}} and {{path:{name}}}: expected one kind of address for a name")
        return address

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.addresses:
            self.addresses[name] = make()
        return self.addresses[name]


def check_words(words: Iterable[str]) -> None:
    """Raise UsageError for a misspelt placeholder in a word of a command."""
    for word in words:
        for found in ALIKE.finditer(word):
            similar = get_close_matches(found[1], KINDS, n=1, cutoff=0.7)
            if similar and not PLACEHOLDER.fullmatch(found[0]):
                raise UsageError(f"command: {word!r} has {found[0]}; did you mean {{{similar[0]}}}?")
