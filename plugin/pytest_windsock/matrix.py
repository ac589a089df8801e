"""`any_server`: one test item for each combination of transport, concurrency and TLS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

import windsock
from windsock.harness import CONCURRENCIES, TRANSPORTS
from windsock.options.class_checks import check_units, unit_of

__all__ = ["Combination", "chosen", "parametrize"]

GROUPS = {"stream": ("tcp", "unix_stream"), "datagram": ("udp", "unix_datagram"), "record": ("unix_seqpacket",)}
BY_DEFAULT = (*GROUPS["stream"], *GROUPS["datagram"])
"""The transports without `transports=`, unless the class of the handler is for one of these groups."""


class Combination(NamedTuple):
    """One kind of server, as plain values, which can be sent to other processes."""

    transport: str
    concurrency: str
    tls: bool | str
    """True, "mutual", or False."""

    def __str__(self) -> str:
        return f"{self.transport}-{self.concurrency}{'-tls' if self.tls else ''}"

    def options(self) -> dict[str, Any]:
        """Return the keywords of serving()."""
        options: dict[str, Any] = {"transport": self.transport, "concurrency": self.concurrency}
        return options | {"tls": self.tls} if self.tls else options


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Make an item for each combination that the test's markers let through, always in the same order.

    Raises CollectError.
    """
    said: dict[str, Any] = {}
    for mark in metafunc.definition.iter_markers("windsock"):
        said = dict(mark.kwargs) | said
    try:
        found = list(chosen(said))
    except windsock.UsageError as error:
        where = f"{metafunc.definition.nodeid}: @pytest.mark.windsock"
        raise pytest.Collector.CollectError(f"{where}: {error}") from None  # which pytest shows in one line
    metafunc.parametrize("any_server", found, indirect=True, ids=str)


def chosen(options: Mapping[str, Any]) -> Iterator[Combination]:
    """Give the combinations that these keywords let through. Raises windsock.UsageError for what cannot be."""
    if "transport" in options:
        raise windsock.UsageError(
            f"transport={options['transport']!r}: any_server stands for several; name them with transports="
        )
    if options.get("server_class") is not None:
        name = getattr(options["server_class"], "__name__", options["server_class"])
        raise windsock.UsageError(
            f"server_class={name}: any_server stands for several classes; pass mixins= for what they have in front, "
            "or call serve(server_class, handler) in the test"
        )
    asked = options.get("transports")
    unit = unit_of(options.get("handler"))
    by_default = BY_DEFAULT if unit is None else unit
    transports = _names("transports", by_default if asked is None else asked, TRANSPORTS, GROUPS)
    for transport in transports:
        check_units(options.get("handler"), transport)
    concurrencies = _names("concurrency", options.get("concurrency"), CONCURRENCIES, {})
    tls = options.get("tls")
    if tls not in (None, True, False, "mutual"):
        raise windsock.UsageError(f"tls={tls!r}: for any_server expected True, 'mutual', False, or None for both")
    for transport in transports:
        for concurrency in concurrencies:
            if not tls:
                yield Combination(transport, concurrency, False)
            if tls is not False and transport in GROUPS["stream"]:
                yield Combination(transport, concurrency, tls or True)


def _names(key: str, value: Any, known: Iterable[str], groups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the names that are let through, in the order in which they are known."""
    known = list(known)
    if value is None:
        return known
    asked: set[str] = set()
    for name in [value] if isinstance(value, str) else value:
        if name not in known and name not in groups:
            expected = ", ".join(map(repr, [*known, *groups]))
            raise windsock.UsageError(f"{key}={value!r}: expected one or a list of {expected}")
        asked.update(groups.get(name, (name,)))
    return [name for name in known if name in asked]
