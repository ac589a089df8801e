"""A zone as a ready rule: `dns.zone(server, {"example.org": {"A": "192.0.2.1"}})`. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from windsock.errors import UsageError
from windsock.protocols.dns.answers import respond
from windsock.protocols.dns.library import record
from windsock.protocols.dns.messages import DNSMessage
from windsock.protocols.dns.patterns import PROTOCOL, query
from windsock.protocols.ready_rules import check_server

__all__ = ["Zone", "zone"]

Names: TypeAlias = Mapping[str, Mapping[str, str | Iterable[str]]]
"""Names, with the data of their records by their types."""
LONGEST_CHAIN = 16
"""The most CNAME records that an answer follows."""


class Zone:
    """Names with their records, as text, by their types."""

    def __init__(self, names: Names, ttl: int) -> None:
        given: Any = names
        if not isinstance(given, Mapping) or not all(isinstance(each, Mapping) for each in given.values()):
            raise UsageError(f"dns.zone({names!r}): expected names with their records, {{'example.org': {{'A': ...}}}}")
        self.names: dict[str, dict[str, list[str]]] = {
            _plain(name): _records(name, types, ttl) for name, types in names.items()
        }
        """The records of each name, by their types."""

    def answer(self, message: bytes) -> DNSMessage:
        """Return the response to a query: records, no records, or NXDOMAIN. CNAME records are followed in the zone."""
        asked: DNSMessage = PROTOCOL.decoded(message)
        if not asked.questions:
            return respond(asked, (), "FORMERR")
        question = asked.questions[0]
        found, is_known = self._found(_plain(question.name), question.type)
        return respond(asked, found, "NOERROR" if is_known else "NXDOMAIN")

    def _found(self, name: str, type: str) -> tuple[list[str], bool]:
        """Return the records, and whether the name at the end of CNAME records is known."""
        found: list[str] = []
        for _ in range(LONGEST_CHAIN):
            types = self.names.get(name)
            if types is None:
                return found, bool(found)
            if not types.get("CNAME") or type in ("CNAME", "ANY"):
                own = [each for kind in types.values() for each in kind] if type == "ANY" else types.get(type, [])
                return found + own, True
            found += types["CNAME"]
            name = _plain(types["CNAME"][0].rpartition(" ")[-1])
        return found, True


def zone(server: Any, names: Names, *, ttl: int = 60) -> Zone:
    """Let a fake answer queries from these records; return the zone.

    A record is its data as text, several are a list: `{"example.org": {"A": "192.0.2.1", "MX": ["10 mail.example"]}}`.
    Names that are missing are NXDOMAIN. Rules that were added before, or with `first=True`, come first.
    """
    check_server("dns.zone()", server, PROTOCOL, keeps_state=False, takes_datagrams=True)
    made = Zone(names, ttl)
    server.on(query()).reply_with(made.answer).optional()
    return made


def _records(name: str, types: Mapping[str, str | Iterable[str]], ttl: int) -> dict[str, list[str]]:
    return {
        kind.upper(): [record(name, ttl, f"{kind} {each}") for each in _several(data)] for kind, data in types.items()
    }


def _several(data: Any) -> Iterable[str]:
    if isinstance(data, str):
        return [data]
    if not isinstance(data, Iterable) or isinstance(data, bytes | Mapping):
        raise UsageError(f"dns.zone(): {data!r} is no record; expected text, such as '192.0.2.1', or several in a list")
    return data


def _plain(name: str) -> str:
    return name.removesuffix(".").lower()
