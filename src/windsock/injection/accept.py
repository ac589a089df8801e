"""Faults around accept(2): late, failing, too many, refused."""

from __future__ import annotations

import contextlib
import errno
from typing import Any

from windsock.faults import AcceptDelay, AcceptError, BacklogFull, Fault, FaultSet, MaxConnections, Refuse
from windsock.injection.listener import FaultyListener
from windsock.net import sockets
from windsock.net.deadlines import capped
from windsock.net.system import monotonic, os, socket, threading
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.servers import BaseServer

__all__ = ["AcceptFaults", "TurnedAway"]

ROOM_AGAIN = 0.02
"""Seconds between two looks at whether there is room for a connection that waits."""


class TurnedAway(BlockingIOError):
    """There is nothing to handle, though a client came."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "turned away on purpose")


class AcceptFaults:
    """Decides on each connection of one stream server: before it is accepted, and right afterwards.

    The client is known only afterwards, so that faults see connections by their index alone.
    """

    def __init__(self, server: Any, fault_set: FaultSet, recorder: Recorder, listener: FaultyListener) -> None:
        self._server = server
        self._fault_set = fault_set
        self._recorder = recorder
        self._listener = listener
        self._stop = threading.Event()
        self._index = -1
        self._faults: list[Fault] = []
        self._not_before = 0.0
        self._words: list[str] = []

    def before(self) -> None:
        """Come in front of each accept. Raises OSError in its place."""
        self._listener.pass_through()
        index = self._recorder.next_index
        now = monotonic()
        if index != self._index:
            self._index = index
            self._faults = self._fault_set.at_accept(connection=index, now=now, active=self._active())
            self._words = [f"{each!r}: at accept" for each in self._faults]
            self._not_before = now + sum(each.time for each in self._faults if isinstance(each, AcceptDelay))
        if self._not_before > now:
            self._rest(self._not_before - now)
        for each in self._faults:
            if isinstance(each, AcceptError):
                self._faults.remove(each)
                self._fail(each)
        if self._is_to_stall():
            self._rest(ROOM_AGAIN)

    def _active(self) -> int:
        """Return how many connections are open, if anybody wants to know."""
        if not any(isinstance(each.fault, MaxConnections) for each in self._fault_set.handles):
            return 0
        self._recorder.catch_up()
        return sum(not each.is_closed for each in list(self._recorder.connections))

    def _is_to_stall(self) -> bool:
        stalling = [each for each in self._faults if isinstance(each, MaxConnections) and each.then == "stall"]
        handle = {each.fault for each in self._fault_set.handles if each.is_active}
        return any(each in handle and each.happens(self._active()) for each in stalling)

    def keeps_waiting(self, until: float) -> bool:
        """Return whether the next client is left in the queue until then, in monotonic seconds. From any thread."""
        return self._not_before > until or self._is_to_stall()

    def _rest(self, seconds: float) -> None:
        """Leave the client where it is, in the queue; raises TurnedAway."""
        if isinstance(self._server, BaseServer):
            self._server.pause_accepting(seconds)
        else:
            self._stop.wait(capped(seconds))
        raise TurnedAway

    def _fail(self, fault: AcceptError) -> None:
        error = OSError(fault.code, os.strerror(fault.code))
        self._recorder.expected.append(error)
        raise error

    # --- afterwards

    def after(self, request: Any, connection: Connection, *, is_relayed: bool) -> None:
        """Come behind each accept. Raises TurnedAway for a connection that must not be handled.

        The relay of a relayed connection records its faults.
        """
        if self._listener.is_ours(connection.peer):
            self._turn_away(request, connection, "a connection that filled the queue", [], is_reset=False)
        if connection.index != self._index:
            return
        for each in self._faults:
            if _turns_away(each):
                is_reset = getattr(each, "then", "reset") == "reset"
                self._turn_away(request, connection, repr(each), self._words, is_reset=is_reset)
        if not is_relayed:
            _note_faults(connection, self._words)

    def _turn_away(self, request: Any, connection: Connection, why: str, faults: list[str], *, is_reset: bool) -> None:
        connection.note(Kind.REFUSED, why.encode())
        plain = socket.socket(fileno=request.detach())
        with connection.noted_after(Kind.CLOSE):
            if is_reset:
                sockets.reset(plain)
            else:
                with contextlib.suppress(OSError):
                    plain.shutdown(socket.SHUT_RDWR)
                plain.close()
            _note_faults(connection, faults)
        raise TurnedAway

    def begin_again(self) -> None:
        """Decide anew for the next connection, whose index may have been another's."""
        self._index = -1

    def stop(self) -> None:
        """Continue with the held connections."""
        self._stop.set()


def _turns_away(fault: Fault) -> bool:
    return isinstance(fault, Refuse | BacklogFull) or (isinstance(fault, MaxConnections) and fault.then != "stall")


def _note_faults(connection: Connection, faults: list[str]) -> None:
    for each in faults:
        connection.note(Kind.FAULT, each.encode())
