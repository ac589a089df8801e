"""Sections of a failing test's report: what its servers and proxies recorded, and the seeds of their faults."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING

from pytest_windsock import artifacts, seeds
from pytest_windsock.fixtures import State
from windsock import redaction
from windsock.net.system import monotonic
from windsock.recording.transcript.excerpt import LINES, excerpt
from windsock.recording.transcript.subjects import CaptureSubject, start_of, subject_of
from windsock.recording.transcript.transcript import Mark, Transcript

if TYPE_CHECKING:
    from windsock import RunningServer
    from windsock.proxies.proxy import FaultProxy

    Servers = Sequence[RunningServer | FaultProxy]

__all__ = ["of_programs", "sections", "subjects_of"]

MOST_NAMES = 10
"""The servers and proxies that are described before the lines about all."""
MOST_OPEN = 10
"""The open connections that are named."""
VERBOSE = 2
"""The verbosity from which on nothing is left out: -vv."""


def sections(servers: Servers, when: str | None) -> Iterator[tuple[str, str]]:
    """Give the report sections that show what the servers recorded, and the seeds of their faults.

    What the report of the test itself has shown is not shown again at its teardown, only what came after it.
    """
    suffix = " (teardown)" if when == "teardown" else ""
    transcript = Transcript(subjects_of(servers), [*State.marks, *_marks_of_programs()])
    was_shown = bool(State.shown)
    lines = _lines(transcript)
    if when != "teardown":
        lines += _still_open(transcript, servers)
    if lines:
        count = len(transcript.subjects)
        title = transcript.heading[0] if count == 1 else f"{count} servers and proxies"
        yield f"windsock: {title}{suffix}", "\n".join([*_heading(transcript), *lines])
    for each in servers if not was_shown else ():
        table: list[str] = getattr(each, "state_table", list)()
        if table:
            yield f"windsock: rules and states of {each.name}{suffix}", "\n".join(table)
    if faults := list(transcript.faults):
        names = [each.name for each in transcript.subjects if each.fault_lines]
        whose = f" of {names[0]}" if len(names) == 1 else ""
        run = seeds.seed_of_run(State.item.config)
        yield f"windsock: faults{whose}, --windsock-seed={run}{suffix}", "\n".join(faults)


def of_programs(servers: Servers, when: str | None) -> Iterator[tuple[str, str]]:
    """Give a section for each real program: what it has written in this test and no report has shown.

    Times are seconds since the zero of the transcript; without one, since the test began.
    """
    zero = start_of(subjects_of(servers)) or State.began
    since, State.output_shown = max(State.began, State.output_shown), monotonic()
    for each in State.programs:
        changes = [(change.at, f"--- {change}") for change in each.changes]
        lines = sorted([*each.output.timed_lines(), *changes], key=itemgetter(0))  # those of one piece stay in order
        shown = [f"{time - zero:+.4f} {redaction.line(text)}" for time, text in lines if time >= since]
        if len(shown) > LINES and not _is_verbose():
            shown = [f"... {len(shown) - LINES:,} more lines ...", *shown[-LINES:]]
        if shown or when != "teardown":
            yield f"windsock: output of {each.describe()}", "\n".join(shown) or "(nothing)"


def _marks_of_programs() -> Iterator[Mark]:
    """Give what happened to real programs in this test, such as a pause."""
    for each in State.programs:
        yield from ((change.at, f"{each.name}: {change}") for change in each.changes if change.at >= State.began)


def subjects_of(servers: Servers) -> list[CaptureSubject]:
    """Return the recordings of servers and proxies, and then those of the private lines of clients, with numbers."""
    lines = [*State.lines, *(line for each in servers for line in getattr(each, "client_lines", ()))]
    numbered = enumerate(map(subject_of, lines), 1)
    return [*map(subject_of, servers), *(replace(each, name=f"{each.name} {number}") for number, each in numbered)]


def _is_verbose() -> bool:
    return State.item.config.get_verbosity() >= VERBOSE


def _still_open(transcript: Transcript, servers: Servers) -> list[str]:
    """Return lines for the connections that are still open: who waits, and where."""
    lines = list(transcript.still_open([_places(each) for each in servers]))
    if len(lines) <= MOST_OPEN or _is_verbose():
        return lines
    return [*lines[:MOST_OPEN], f"... {len(lines) - MOST_OPEN:,} more connections are still open ..."]


def _places(server: RunningServer | FaultProxy) -> Mapping[int, str]:
    """Return where the handlers of a server, or the scripts of a fake, stand now."""
    with contextlib.suppress(Exception):  # threads go on meanwhile: what is looked at may change
        from windsock.findings import places_of

        return places_of(server)
    return {}


def _heading(transcript: Transcript) -> list[str]:
    """Return what the servers and proxies are, if they are several, which the title has no room for."""
    names = transcript.heading
    if len(names) == 1:
        return []
    more = [f"... and {len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    return [*names[:MOST_NAMES], *more, ""]


def _lines(transcript: Transcript) -> list[str]:
    """Return the lines that no report of this test has shown, with the file of all of them if some are left out."""
    is_whole = True
    if _is_verbose():
        lines = list(transcript.lines())
    else:
        lines, is_whole = excerpt(transcript)
    shown, State.shown = State.shown, lines
    if shown and lines[: len(shown)] == shown:
        lines = ["... as in the test's own report, and then:", *lines[len(shown) :]]
        return lines if len(lines) > 1 else []
    return lines if is_whole else [*lines, f"all lines: {_file_of(transcript) or 'pytest -vv'}"]


def _file_of(transcript: Transcript) -> str:
    """Return the path of the file with all lines; without --windsock-artifacts, it is written here."""
    files = artifacts.artifacts_of(State.item.config)
    return (files and files.transcript_of(State.item)) or _written(transcript)


def _written(transcript: Transcript) -> str:
    """Write all lines to a file in pytest's cache; return its path, or nothing if that is not possible."""
    config = State.item.config
    with contextlib.suppress(Exception):
        from windsock.captures.text import write_lines

        directory = config.cache.mkdir("windsock")
        path = os.path.join(directory, f"{artifacts.safe_name(seeds.name_of_test(State.item))}.txt")
        write_lines(path, transcript)
        return path
    return ""
