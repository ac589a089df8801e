"""Replay: a fake that serves a cassette, and never connects to the server that was recorded."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import Any

from windsock.cassettes.cassette import Cassette
from windsock.cassettes.conversations import Conversations
from windsock.cassettes.datagram_play import DatagramPlay
from windsock.cassettes.errors import RENEW, CassetteError
from windsock.cassettes.header import Header
from windsock.cassettes.line import What
from windsock.cassettes.matching import Matching
from windsock.cassettes.stream_play import StreamPlay
from windsock.errors import PeerError, UsageError
from windsock.harness import Options, RunningServer
from windsock.net.interrupts import uninterrupted
from windsock.net.system import os
from windsock.options.server_options import ServerKeywords
from windsock.recording import Framing, framing_from
from windsock.recording.subject import distinct_name
from windsock.scripts.checks import check_keywords, check_seconds
from windsock.taps.requests import connection_of

__all__ = ["Replay", "replay"]

ORDERS = ("in_order", "by_first_message")


class Replay(RunningServer):
    """A server that answers as a cassette says, with all that a server has, such as `fault()`. See `replay()`."""

    what_fails = "traffic that differs from the cassette"
    what_is_unmet = "recorded requests that no client has sent"

    def __init__(self, path: str | os.PathLike[str], player: _Player, options: dict[str, Any]) -> None:
        self.cassette_path: str = os.fspath(path)
        self.cassette: Cassette = player.cassette
        self._player = player
        self._unplayed: list[Any] | None = None
        """What was left when it was stopped."""
        resolved = Options(handler=player, **options).resolved()
        super().__init__(resolved if options.get("name") else replace(resolved, name=distinct_name("replay")))

    @uninterrupted
    def stop(self) -> None:
        """Stop. See RunningServer."""
        self._player.stop()
        try:
            super().stop()
        finally:
            if self._unplayed is None:
                self._unplayed = self._player.unplayed()
                self.cassette.close()

    def _new_errors(self) -> list[BaseException]:
        """See Subject; what differs has no traceback, in which all frames are ours."""
        found = super()._new_errors()
        for each in found:
            if isinstance(each, PeerError):
                each.__traceback__ = None
        return found

    def _unmet(self) -> list[Any]:
        """See Subject; with the recorded requests that no client has sent."""
        found = super()._unmet()
        if self._is_to_be_used:
            found += self._player.unplayed() if self._unplayed is None else self._unplayed
        return found


class _Player:
    """The handler of a replay's requests."""

    def __init__(
        self, cassette: Cassette, matching: Matching, framing: Framing | None, pace: float, connections: str
    ) -> None:
        self.cassette = cassette
        self._framing = framing
        self._pace = pace
        self._is_in_order = connections == "in_order"
        self._datagrams: DatagramPlay | None = None
        self._conversations: Conversations | None = None
        if cassette.header.is_datagram:
            self._datagrams = DatagramPlay(cassette, matching, pace, is_in_order=self._is_in_order)
        else:
            self._conversations = Conversations(cassette, matching)

    def __call__(self, request: Any, client_address: Any, server: Any) -> None:  # noqa: ARG002  # as of any handler
        connection = connection_of(request)
        assert connection is not None
        if self._datagrams is not None:
            self._datagrams.answer(request, client_address, connection)
        elif self._conversations is not None:
            play = StreamPlay(request, connection, self._conversations, self._framing, self._pace)
            (play.in_order if self._is_in_order else play.by_first_message)()

    def unplayed(self) -> list[Any]:
        """Return an error for what no client has sent."""
        played = self._datagrams or self._conversations
        return [] if played is None else list(played.unplayed())

    def stop(self) -> None:
        """End the waits for recorded times."""
        if self._datagrams is not None:
            self._datagrams.stopping.set()


def replay(
    path: str | os.PathLike[str],
    /,
    *,
    ignore: Any = None,
    normalise: Any = None,
    connections: str | None = None,
    pace: float | str | None = None,
    framing: Any = None,
    **options: Any,
) -> Replay:
    """Serve a cassette as a fake for the length of a `with`: clients get the recorded replies.

    What they send has to be what was recorded, byte by byte, except where a secret was masked, which matches any
    value; a strict test fails on anything else, and on recorded requests that were not sent, unless `allow_unused`.
    `ignore` finds parts of a recorded request that may have any value: bytes, regular expressions of bytes (their
    groups, or all that they match), and functions, as for `redact` (see `serving`). `normalise` is a function that
    both the recorded and the received message are given to before they are compared.

    `connections` says which recorded connection a client gets: "in_order" (the default for streams) the next one,
    "by_first_message" (the default for datagrams) the next one that begins with the same message. `pace` is
    "recorded" for the recorded pauses before replies, a factor of them such as 0.5, or None for none. `framing` is the
    one that was recorded, and is needed for a function only. Other `options` are those of `serving()`, such as `faults`
    and `name`. A cassette of encrypted connections is served with TLS.

    Raises CassetteError for a file that is missing, damaged or from a newer version, UsageError for invalid values.
    """
    _check_pace(pace)
    if connections not in (None, *ORDERS):
        raise UsageError(f"connections={connections!r}: expected one of {', '.join(map(repr, ORDERS))}")
    for name in ("handler", "server_class", "transport", "concurrency"):
        if name in options:
            raise UsageError(f"replay({name}=...): the cassette says what is served; leave {name}= out")
    check_keywords("replay", options, ServerKeywords)
    matching = Matching.of(ignore, normalise)
    cassette = Cassette(path)
    try:
        is_datagram = cassette.header.is_datagram
        chosen = connections or ("by_first_message" if is_datagram else "in_order")
        found = _framing(cassette, framing)
        if not matching.is_exact or chosen == "by_first_message":
            _check_framed(cassette, found)
        player = _Player(cassette, matching, found, _factor(pace), chosen)
        return Replay(path, player, _options(cassette, _factor(pace), options))
    except BaseException:
        cassette.close()
        raise


def _check_framed(cassette: Cassette, framing: Framing | None) -> None:
    if framing is None and not cassette.header.is_datagram:
        why = (
            "it has no framing, so it does not say where a message ends; ignore=, normalise= and "
            'connections="by_first_message" need that (record it with framing=)'
        )
        raise CassetteError(cassette.path, why)


def _check_pace(pace: Any) -> None:
    if pace is None or pace == "recorded":
        return
    if isinstance(pace, str):
        raise UsageError(f"pace={pace!r}: expected 'recorded', a factor such as 0.5, or None")
    check_seconds(f"pace={pace!r}", pace, or_none=True, unit="'recorded', None, or a factor")


def _factor(pace: float | str | None) -> float:
    return 1.0 if pace == "recorded" else float(pace or 0.0)


def _framing(cassette: Cassette, given: Any) -> Framing | None:
    """Return the framing of the cassette; of a function it has the name alone. Raises CassetteError for another one."""
    header = cassette.header
    if given is None or header.is_datagram:
        return cassette.framing()
    framing = framing_from(given)
    if Header.of(header.transport, framing) != header:
        why = f"framing={given!r}: it was recorded with framing: {header.framing}; leave framing= out, or {RENEW}"
        raise CassetteError(cassette.path, why)
    return framing if header.needs_framing else cassette.framing()


def _options(cassette: Cassette, pace: float, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the server: datagrams are answered in their order, unless some replies are late."""
    header = cassette.header
    own: dict[str, Any] = {"transport": header.transport, "concurrency": "threading"}
    if header.is_datagram and not pace:
        own["concurrency"] = "sync"
    if "tls" not in given and (facts := _tls_facts(cassette)) is not None:
        own["tls"] = True
        if protocol := re.search(r"\balpn=(\S+)", facts):
            own["alpn"] = [protocol[1]]
    return own | given


def _tls_facts(cassette: Cassette) -> str | None:
    """Return what the handshake agreed on with which the first connection begins; None if it is not encrypted."""
    first = (line for number in cassette.numbers[:1] for _, line in cassette.lines(number))
    return next((line.detail for line in islice(first, 2) if line.what is What.TLS), None)
