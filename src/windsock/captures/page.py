"""One HTML file for the traffic of a test: a sequence diagram, and a table for readers without JavaScript."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import pkgutil
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from windsock import redaction
from windsock.captures.page_events import PageEvent, bounded, events_of, with_events, within_budget
from windsock.captures.page_lanes import PageConnection, PageSubject, connections_of, lane_of, lanes_of
from windsock.errors import visible
from windsock.net.system import os
from windsock.recording import preview

__all__ = ["page_of", "write_page"]

PREVIEW = 120
"""Bytes of a chunk that the table shows."""
MOST_ROWS = 1000
"""Connections that the table of connections lists."""
ALARMS = ("failed", "error", "timeout", "fault")
"""Kinds of events that say that something went wrong."""


def write_page(path: str | Path, title: str, subjects: Sequence[PageSubject], findings: Sequence[str] = ()) -> None:
    """Write an HTML file that shows the traffic of servers and proxies, running or stopped.

    The file needs no other file and no network. `findings` are sentences that stand above the diagram. The first
    4 KiB of each chunk are in the file, less if there are many chunks, and at most 20,000 events. Raises OSError if
    the file cannot be written.
    """
    content = page_of(title, subjects, findings).encode("utf-8", "backslashreplace")
    _write(os.fspath(path), content)


def page_of(title: str, subjects: Sequence[PageSubject], findings: Sequence[str] = ()) -> str:
    """Return the text of that file."""
    connections = connections_of(subjects)
    events, place, left_out = bounded(events_of(subjects, connections))
    shown, events = with_events(connections, within_budget(events))
    return _Page(title, subjects, shown, events, place, left_out).html(findings)


def _write(path: str, content: bytes) -> None:
    """Write a file past whatever a test has put in the place of the file system."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


class _Page:
    """The parts of one page. Times in it are seconds since its first event."""

    def __init__(
        self,
        title: str,
        subjects: Sequence[PageSubject],
        connections: list[PageConnection],
        events: list[PageEvent],
        place: int,
        left_out: int,
    ) -> None:
        self._title = redaction.line(title)
        self._subjects = subjects
        self._connections = connections
        self._events = events
        self._place = place
        self._left_out = left_out
        self._start = events[0].time if events else 0.0
        self._lanes = lanes_of(subjects, connections)

    def html(self, findings: Sequence[str]) -> str:
        """Return the whole document."""
        script, style = _resource("page.js"), _resource("page.css")
        parts = {
            "title": html.escape(self._title),
            "script_hash": _hash(script),
            "style_hash": _hash(style),
            "style": style,
            "script": script,
            "summary": self._summary(),
            "findings": _findings(findings),
            "traffic": _json(self._traffic()),
            "connections": "\n".join(self._connection_rows()),
            "events": "\n".join(self._event_rows()),
        }
        return re.sub(r"@@(\w+)@@", lambda match: parts[match[1]], _resource("page.html"))

    def _traffic(self) -> dict[str, object]:
        """Return what the script draws."""
        index_of = {lane: index for index, lane in enumerate(self._lanes)}
        return {
            "lanes": [[lane.role, visible(lane.name), visible(lane.address)] for lane in self._lanes],
            "subjects": [index_of[lane_of(each)] for each in self._subjects],
            "connections": [
                [
                    visible(each.label),
                    index_of[each.client],
                    index_of[each.server],
                    -1 if each.via is None else index_of[each.via],
                    each.ending,
                    int(each.is_clean),
                ]
                for each in self._connections
            ],
            "events": [self._row(each) for each in self._events],
            "leftOut": [self._place, self._left_out],
        }

    def _row(self, event: PageEvent) -> list[object]:
        row: list[object] = [round(event.time - self._start, 7), event.connection, event.kind, event.direction]
        row += [visible(event.text), event.size, base64.b64encode(event.data).decode()]
        return [*row, visible(event.detail, but="\n")] if event.detail else row

    def _summary(self) -> str:
        """Return the figures of the whole page, as list items."""
        events = self._events
        messages = [each for each in events if each.kind == "data"]
        alarms = sum(each.kind in ALARMS for each in events)
        span = events[-1].time - self._start if events else 0.0
        figures = [
            counted_noun(len(self._lanes), "peer"),
            counted_noun(len(self._connections), "connection"),
            counted_noun(len(messages), "message"),
            f"{sum(each.size for each in messages):,} B",
            f"{span:.6f} s",
        ]
        items = [f"<li>{each}</li>" for each in figures]
        if alarms:
            items.append(f'<li class="alarm">{counted_noun(alarms, "fault or failure", "faults and failures")}</li>')
        if self._left_out:
            items.append(f"<li>{counted_noun(self._left_out, 'event')} left out in the middle</li>")
        return "".join(items)

    def _connection_rows(self) -> Iterator[str]:
        for each in self._connections[:MOST_ROWS]:
            recorded = each.recorded
            closed = recorded.closed_at
            yield _tr(
                "" if each.is_clean else "failed",
                each.label,
                f"{each.client.name} ({each.client.address})",
                f"{each.server.name} ({each.server.address})",
                f"{recorded.begins - self._start:.6f}",
                "" if closed is None else f"{closed - self._start:.6f}",
                each.ending,
            )
        if len(self._connections) > MOST_ROWS:
            yield _tr("", f"{len(self._connections) - MOST_ROWS} more connections", *[""] * 5)

    def _event_rows(self) -> Iterator[str]:
        for number, event in enumerate(self._events):
            if self._left_out and number == self._place:
                yield _tr("note", "", "", "", f"{self._left_out} events are left out here", "", "")
            yield self._event_row(event)

    def _event_row(self, event: PageEvent) -> str:
        what = event.text or "data"
        label, way = "", ""
        if event.connection < 0:
            label = lane_of(self._subjects[-1 - event.connection]).name
        else:
            connection = self._connections[event.connection]
            label = connection.label
            ends = (connection.client.name, connection.server.name)
            way = {"up": " → ".join(ends), "down": " → ".join(reversed(ends))}.get(event.direction, "")
        size = f"{event.size}" if event.kind == "data" else ""
        data = preview(event.data, PREVIEW) if event.kind == "data" else event.detail
        return _tr(event.kind, f"{event.time - self._start:.6f}", label, way, what, size, data)


def counted_noun(count: int, noun: str, plural: str = "") -> str:
    """Return "1 event", "2 events"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _tr(kind: str, *cells: str) -> str:
    """Return a row of a table."""
    shown = "".join(f"<td>{html.escape(visible(each, but=chr(10)))}</td>" for each in cells)
    return f'<tr class="{kind}">{shown}</tr>'


def _findings(sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{html.escape(visible(each, but=chr(10)))}</li>" for each in sentences)
    return f'<section class="findings" aria-label="Findings"><ol>{items}</ol></section>' if items else ""


def _json(value: object) -> str:
    """Return JSON in which nothing can end a script element, or begin a comment in it."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy allows a script or style by."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _resource(name: str) -> str:
    """Return a file of this package. The loader reads it, past whatever a test has put in the place of files."""
    data = pkgutil.get_data("windsock.captures", name)
    assert data is not None
    return data.decode()
