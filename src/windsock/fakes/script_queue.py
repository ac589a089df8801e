"""The scripts of a fake: which connection plays which, and how far each has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from windsock.net import addresses
from windsock.net.system import monotonic, sleep
from windsock.recording import Connection, Recorder
from windsock.recording.events import ScriptState
from windsock.scripts import Script

if TYPE_CHECKING:
    from windsock.fakes.script_run import ScriptRun

__all__ = ["QueuedScript", "ScriptQueue"]

A_MOMENT = 0.2
"""Seconds in which an action of a script is over, unless it is meant to take longer."""


@dataclass(slots=True)
class QueuedScript:
    """One script that a fake should play; `number` counts the queued ones from 1, 0 is `play_all()`.

    `connection` is the index of the connection that plays it, or, for `play_all()`, of the first that does.
    """

    script: Script
    number: int
    connection: int | None

    @property
    def label(self) -> str:
        """The name of the script in messages."""
        return f"script {self.number}" if self.number else "the script for all"


class ScriptQueue:
    """The scripts of one fake. On streams, a queued script belongs to a certain connection from the start.

    So it does not matter which thread or process comes first, and a forked child knows its own script.
    """

    def __init__(self, recorder: Recorder, *, is_datagram: bool) -> None:
        self._recorder = recorder
        self._is_datagram = is_datagram
        self._queued: list[QueuedScript] = []
        self._for_all: list[QueuedScript] = []
        self._begun = 0
        self._excused = 0
        self._first = 0
        """The index of the first connection of the part..."""
        self._shared = (0, 0)
        """...and how many queued scripts, and scripts for all, it shares with others: the first ones."""
        self._outer: list[tuple[int, int]] = []
        self._runs: WeakValueDictionary[int, ScriptRun] | None = None  # made for the first script: it takes time

    def __bool__(self) -> bool:
        return bool(self._queued or self._for_all)

    def begin(self, connection: int, run: ScriptRun) -> None:
        """Remember where the script of a connection stands, as long as this process plays it."""
        with self._recorder.waiters:
            if self._runs is None:
                self._runs = WeakValueDictionary()
            self._runs[connection] = run

    @property
    def count(self) -> int:
        """The number of queued scripts."""
        return len(self._queued)

    def are_over(self, connection: int) -> bool:
        """Return whether a connection comes after those with queued scripts."""
        return bool(self._queued) and (self._queued[0].connection or 0) < connection

    # --- adding

    def queue(self, scripts: Sequence[Script]) -> None:
        """Let the next connections play these scripts, one each."""
        with self._recorder.waiters:  # no connection is accepted meanwhile
            following = self._recorder.next_index
            for script in scripts:
                if self._queued and not self._is_datagram:
                    following = max(following, (self._queued[-1].connection or 0) + 1)
                connection = None if self._is_datagram else following
                self._queued = [*self._queued, QueuedScript(script, len(self._queued) + 1, connection)]

    def for_all(self, script: Script) -> None:
        """Let each later connection without a script of its own play this one."""
        with self._recorder.waiters:
            self._for_all = [*self._for_all, QueuedScript(script, 0, self._recorder.next_index)]

    # --- parts

    def begin_part(self) -> None:
        """Share the scripts there are between all parts: in each, the next connections play them anew."""
        with self._recorder.waiters:
            self._first = first = self._recorder.next_index
            scripts = [each.script for each in self._queued]
            self._queued = []
            self.queue(scripts)
            self._for_all = [QueuedScript(each.script, 0, first) for each in self._for_all]
            self._outer.append(self._shared)
            self._shared = len(self._queued), len(self._for_all)
            self._begun = self._excused = 0

    def end_part(self) -> None:
        """Remove the scripts that came since `begin_part()`."""
        queued, for_all = self._shared
        self._queued, self._for_all = self._queued[:queued], self._for_all[:for_all]
        outer = self._outer.pop()
        if self._outer:
            self._shared = outer

    # --- queries

    def of(self, connection: int) -> QueuedScript | None:
        """Return the script for a connection of a stream server."""
        for play in self._queued:
            if play.connection == connection:
                return play
        return self._all_of(connection)

    def is_queued_for(self, connection: int) -> bool:
        """Return whether a queued script is for this connection of a stream server."""
        return any(play.connection == connection for play in self._queued)

    @property
    def has_next(self) -> bool:
        """Return whether a queued script waits for a conversation of datagrams."""
        return self._begun < len(self._queued)

    def next(self, connection: int) -> QueuedScript | None:
        """Return the script for the conversation that a datagram starts, and remove it from the queue."""
        with self._recorder.waiters:
            if self._begun < len(self._queued):
                play = self._queued[self._begun]
                play.connection = connection
                self._begun += 1
                return play
        return self._all_of(connection)

    def _all_of(self, connection: int) -> QueuedScript | None:
        found = [play for play in self._for_all if play.connection is not None and play.connection <= connection]
        return found[-1] if found else None

    # --- results

    def excuse(self) -> None:
        """Accept that scripts in progress are over: an outage has ended them."""
        self._excused = self._recorder.next_index

    def wait_for_actions(self) -> None:
        """Give scripts that are just sending something a moment to go on: their place is the step after it."""
        deadline = monotonic() + A_MOMENT
        while any(map(self._is_acting, list(self._recorder.connections))) and monotonic() < deadline:
            sleep(0.001)

    def _is_acting(self, connection: Connection) -> bool:
        run = None if self._runs is None else self._runs.get(connection.index)
        return run is not None and connection.script_state is ScriptState.BEGUN and run.is_acting

    def unmet(self, *, is_final: bool) -> Iterator[str]:
        """Yield descriptions of scripts that were not played to the end, except failed ones, which were reported."""
        self._recorder.catch_up()
        connections = {each.index: each for each in list(self._recorder.connections) if each.index >= self._first}
        of_queue = {play.connection for play in self._queued if play.connection is not None}
        for play in self._queued[self._shared[0] :]:
            yield from self._unmet_of(play, connections, is_final=is_final)
        if self._for_all[self._shared[1] :]:
            played = [each for each in connections.values() if each.played is not None]
            others = [each for each in played if each.index not in of_queue]
            if not others:
                yield f"play_all(): never played, no connection came for it\n  {_indented(self._for_all[-1].script)}"
            for each in others:
                if self._is_unfinished(each, is_final=is_final):
                    yield f"play_all(): {self._state(each)}"

    def _unmet_of(self, play: QueuedScript, connections: dict[int, Connection], *, is_final: bool) -> Iterator[str]:
        which = f"play(): script {play.number} of {len(self._queued)}"
        if play.connection is None or play.connection not in connections:
            yield f"{which}: never played, no connection came for it\n  {_indented(play.script)}"
            return
        connection = connections[play.connection]
        if connection.played is None:
            ending = f" ({connection.ending})" if connection.ending is not None else ""
            if not (is_final and connection.index < self._excused):
                yield f"{which}: never played, {_name(connection)} ended before{ending}\n  {_indented(play.script)}"
        elif self._is_unfinished(connection, is_final=is_final):
            yield f"{which}: {self._state(connection)}"

    def _is_unfinished(self, connection: Connection, *, is_final: bool) -> bool:
        is_excused = is_final and connection.index < self._excused
        return connection.script_state in (ScriptState.BEGUN, ScriptState.STOPPED) and not is_excused

    def _state(self, connection: Connection) -> str:
        """Return where an unfinished script stands, or stood when its server was stopped."""
        run = None if self._runs is None else self._runs.get(connection.index)
        if connection.script_state is ScriptState.STOPPED:
            where = f"was {(connection.played or '').removeprefix(f'{ScriptState.STOPPED} ')}"
        elif run is not None:
            where = f"is {run.place()}"
        else:
            where = "ended without reporting its progress"
        return f"not played to its end, {_name(connection)} {where}"

    def place_of(self, connection: int) -> str:
        """Return the name of the script that a connection plays, and the step at which it stands; nothing without."""
        run = None if self._runs is None else self._runs.get(connection)
        return "" if run is None or run.progress.cursor.is_done else f"{run.name} is {run.place()}".partition("\n")[0]

    def is_waiting(self) -> bool:
        """Return whether a script has begun and not ended."""
        return any(each.script_state is ScriptState.BEGUN for each in list(self._recorder.connections))


def _name(connection: Connection) -> str:
    return f"#{connection.index} from {addresses.show(connection.peer)}"


def _indented(script: Script) -> str:
    return repr(script).replace("\n", "\n  ")
