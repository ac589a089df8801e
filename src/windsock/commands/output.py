"""What a command prints while a server or proxy runs: where it is, what it records, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TextIO

from windsock import redaction
from windsock.captures.live import JSONStyle, Live, TranscriptStyle
from windsock.net.system import monotonic, wall_clock
from windsock.recording.subject import Subject

__all__ = ["Output"]


class Output:
    """Prints about one server or proxy, as text or as JSON lines. Each call flushes what it has printed."""

    def __init__(self, stream: TextIO, *, is_json: bool) -> None:
        self._stream = stream
        self._is_json = is_json
        self._live: Live

    def begin(self, server: Any, facts: dict[str, str]) -> None:
        """Print where the server listens, and `facts` about it."""
        start = monotonic()
        self._live = Live(server, JSONStyle(server, start) if self._is_json else TranscriptStyle(start))
        address = _address_of(server)
        if self._is_json:
            named = {name.replace(" ", "_"): each for name, each in facts.items()}
            self._object("listening", {"server": server.name, **address, **named})
        else:
            self.print([f"listening on {address['address']}", *(f"{name}: {each}" for name, each in facts.items())])

    def show(self) -> None:
        """Print what was recorded since the last call."""
        self.print(self._live.lines())

    def end(self, server: Any, problems: Iterable[str]) -> None:
        """Print the rest of what was recorded, each problem, and that the server is stopped."""
        for _ in range(2):  # the ends of connections come with the second call
            self.show()
        count = len(server.connections)
        shown = [redaction.text(each) for each in problems]
        if self._is_json:
            for each in shown:
                self._object("problem", {"server": server.name, "text": each})
            self._object("stopped", {"server": server.name, "connections": count})
        else:
            kind = "datagram" if server.is_datagram else "connection"
            stopped = f"stopped after {count} {kind}{'' if count == 1 else 's'}"
            self.print([*server.fault_summary(), *(f"problem: {each}" for each in shown), stopped])

    def _object(self, kind: str, what: dict[str, Any]) -> None:
        self.print([json.dumps({"time": round(wall_clock(), 6), "kind": kind} | what)])

    def print(self, lines: Iterable[str]) -> None:
        """Print lines."""
        text = "".join(f"{line}\n" for line in lines)
        if text:
            self._stream.write(text)
            self._stream.flush()


def _address_of(server: Subject) -> dict[str, Any]:
    where = {"path": server.path} if server.is_unix else {"host": server.host, "port": server.port}
    return {"address": server.shown_address, **where}
