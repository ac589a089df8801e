"""Verification: a proxy in front of the real server, which compares what passes with a cassette."""

from __future__ import annotations

from typing import Any

from windsock.cassettes.cassette import Cassette
from windsock.cassettes.comparison import find_difference
from windsock.cassettes.errors import CassetteOutdated
from windsock.cassettes.from_recording import lines_of
from windsock.cassettes.matching import Matching
from windsock.net.system import monotonic, os
from windsock.proxies.proxy import FaultProxy
from windsock.recording import framing_from, is_framed

__all__ = ["CassetteVerifier", "verify"]


class CassetteVerifier(FaultProxy):
    """A proxy that fails a test in which the real server says something else than the cassette. See `verify()`."""

    what_fails = "conversations that differ from the cassette"
    what_is_unmet = "recorded messages that have not passed"

    def __init__(
        self,
        address: Any,
        path: str | os.PathLike[str],
        *,
        matching: Matching,
        is_in_order: bool | None,
        framing: Any = None,
        **options: Any,
    ) -> None:
        self.cassette_path: str = os.fspath(path)
        self._matching = matching
        with Cassette(path) as cassette:
            self._is_in_order = not cassette.header.is_datagram if is_in_order is None else is_in_order
            found = cassette.framing() if framing is None else framing_from(framing)
        self._framing = found if is_framed(found) else None
        super().__init__(address, framing=found, **options)
        self._recorder.stay_in_memory()

    def _failures(self) -> list[BaseException]:
        """See Subject; with the first difference from the cassette."""
        return [*super()._failures(), *self._outdated(is_missing=False)]

    def _unmet(self) -> list[Any]:
        """See Subject; with the first recorded message that has not passed."""
        return [*super()._unmet(), *self._outdated(is_missing=True)]

    def _outdated(self, *, is_missing: bool) -> list[CassetteOutdated]:
        """Return an error for the first difference if it is of that kind, and no report has had one."""
        if self._has_failed or not self.strict:
            return []
        ended = monotonic()
        framing = None if self.is_datagram else self._framing
        lines = lines_of(self.connections, framing, began=self.began, ended=ended)
        with Cassette(self.cassette_path) as cassette:
            found = find_difference(cassette, lines, self._matching, is_in_order=self._is_in_order)
            if found is None or found.is_missing != is_missing:
                return []
            line = cassette.line_number(found.offset) if found.offset else None
            return [CassetteOutdated(self.cassette_path, line, found.why, found.diff)]


def verify(
    address: Any,
    path: str | os.PathLike[str],
    *,
    ignore: Any = None,
    normalise: Any = None,
    connections: str | None = None,
    framing: Any = None,
    redact: Any = None,
    **options: Any,
) -> CassetteVerifier:
    """Check that a real server still says what a cassette says, for the length of a `with`; nothing is written.

    Clients connect to the `address` of what this returns, a proxy in front of `address`, and have the conversations
    that were recorded. Its end raises CassetteOutdated, in an ExceptionGroup, if a message differs, is missing, or is
    one too many. `ignore`, `normalise` and `connections` are those of `replay()`, and apply to replies too. Pauses, and
    how connections end, are not compared. `framing` is only for a cassette that was recorded with a function; `redact`
    and `options` are those of `record()`.

    Raises UsageError for invalid values, CassetteError for a cassette that cannot be read.
    """
    return CassetteVerifier(
        address,
        path,
        matching=Matching.of(ignore, normalise),
        is_in_order=None if connections is None else connections == "in_order",
        framing=framing,
        redact=redact,
        **options,
    )
