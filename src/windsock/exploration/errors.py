"""What an exploration raises: the smallest example that fails, and an example that does not end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from windsock.errors import PeerError, text_of
from windsock.exploration.regression import schedule_code
from windsock.net.whereabouts import places_of_error

if TYPE_CHECKING:
    from windsock.exploration.example import Example
    from windsock.exploration.search import Exploration

__all__ = ["ClientHung", "ExplorationFailed"]


class ClientHung(PeerError):
    """An example does not end: its client has no timeout, or tries without end.

    `what` says what shows it, `place` is the line of the test where it stood then, `transcript` what was recorded.
    """

    def __init__(self, what: str, place: str, transcript: Sequence[str]) -> None:
        self.what = what
        self.place = place
        self.transcript: list[str] = [*transcript]
        where = f", at {place}" if place else ""
        super().__init__(f"{what}{where}; expected a client with a timeout, or a larger patience=")


class ExplorationFailed(PeerError):
    """A weather breaks what was explored. The text is the report.

    `weather` is the smallest one that was found, `error` what the test raised under it, also the cause, `transcript`
    what was recorded, `code` a regression test; `summary` is what was tried.
    """

    def __init__(self, name: str, found: Example, code: str, summary: Exploration) -> None:
        assert found.error is not None
        self.name = name
        self.weather = found.weather
        error = found.error
        self.error: BaseException = error
        self.transcript: list[str] = [*found.transcript]
        self.code = code
        self.summary = summary
        place = next(places_of_error(error), "")
        super().__init__(
            f"{name} fails under this weather, the smallest of {summary}:\n\n"
            f"{schedule_code(self.weather)}\n\n"
            f"{type(error).__name__}: {text_of(error).strip()}\n{place}\n\n"
            f"A regression test:\n\n{code}\n"
            "What was recorded:\n\n" + "\n".join(self.transcript)
        )
