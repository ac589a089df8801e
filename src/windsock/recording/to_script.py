"""A recorded connection as a script of what one of its ends did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from windsock.errors import UsageError
from windsock.protocols.protocol import Protocol
from windsock.recording.events import Kind
from windsock.recording.protocol_messages import MessageValues
from windsock.recording.store.spill_file import Event
from windsock.recording.urgency import STREAM_OF, in_stream_order
from windsock.scripts import Script, Step
from windsock.scripts import steps as kinds

__all__ = ["ScriptWriter"]

LARGEST = 16 * 1024 * 1024
"""The most bytes of a recorded connection that become a script."""
SHORTEST = 0.001
"""The shortest pause, in seconds; data sent sooner after other data joins it in one piece."""
PATIENCE = 2.0
"""Seconds after which an expectation gets a timeout of its own: twice as long as the other end took."""


class ScriptWriter:
    """Creates the steps of one end, "client" or "server", of a connection.

    The steps are in the order in which the server received and sent the data. In that order neither end waits for
    something later: whatever the server sent, it had received everything before that.
    """

    def __init__(
        self,
        side: str,
        *,
        has_timing: bool,
        is_datagram: bool,
        began: float,
        keeps_records: bool = False,
        protocol: Protocol | None = None,
    ) -> None:
        if side not in ("client", "server"):
            raise UsageError(f'as_script({side!r}): expected "client" or "server"')
        self._is_client = side == "client"
        self._has_timing = has_timing
        self._is_datagram = is_datagram
        self._has_units = is_datagram or keeps_records
        self._values = None if protocol is None else MessageValues(protocol, is_datagram=is_datagram)
        self._steps: list[Step] = []
        self._run: list[bytes] = []
        self._is_mine = False
        self._gap = 0.0
        self._latest = began
        self._urgent: set[int] = set()
        """The kinds of data whose next byte is urgent."""
        self._ended: set[bool] = set()
        """The ends whose stream has ended: True for this one, False for the other."""

    def written(self, events: Iterable[Event], *, is_stopped: bool, name: str) -> Script:
        """Return the steps for the events of a connection; `is_stopped`: the server's stop ended it, so leave that out.

        Raises UsageError for more data than fits into a script.
        """
        size = 0
        for event in in_stream_order(events):
            if event.kind in STREAM_OF:
                self._urgent_next(event)
            elif event.kind <= Kind.DOWN:
                size += len(event.data)
                if size > LARGEST:
                    raise UsageError(
                        f"as_script(): {name} carried more than {LARGEST >> 20} MiB, which is too much for a "
                        "script; its `chunks` give it piece by piece"
                    )
                self._bytes_passed(event)
            elif not (self._is_datagram or is_stopped):
                self._something_ended(event)
            if event.kind == Kind.TLS:
                self._tls_began(event)
            elif event.kind == Kind.TLS_END:
                self._tls_ended(event)
        self._end_run()
        return Script(*self._steps)

    def _bytes_passed(self, event: Event) -> None:
        """Add to the data being sent or expected, or start a new run."""
        is_mine = (event.kind == Kind.UP) == self._is_client
        gap = self._since_latest(event)
        if event.kind in self._urgent:
            self._urgent_passed(event, gap, is_mine=is_mine)
            return
        is_late = self._has_timing and is_mine and gap >= SHORTEST
        if self._run and not self._has_units and is_mine == self._is_mine and not is_late:
            self._run.append(event.data)
            self._gap = max(self._gap, gap)
            return
        self._end_run()
        self._run, self._is_mine, self._gap = [event.data], is_mine, gap

    def _urgent_next(self, event: Event) -> None:
        self._urgent.add(STREAM_OF[event.kind])

    def _urgent_passed(self, event: Event, gap: float, *, is_mine: bool) -> None:
        """Add the step of the urgent byte that the mark before has announced, and go on with what follows."""
        self._urgent.remove(event.kind)
        self._end_run()
        if is_mine:
            self._add(kinds.Urgent(event.data[:1]), gap)
        else:
            self._steps.append(kinds.ExpectUrgent(event.data[:1], timeout=patience(gap)))
        self._run, self._is_mine, self._gap = [event.data[1:]], is_mine, 0.0

    def _something_ended(self, event: Event) -> None:
        """Add an end of the connection."""
        if event.kind == Kind.CLIENT_EOF:
            self._stream_ended(event, is_mine=self._is_client)
        elif event.kind == Kind.HALF_CLOSE:
            self._stream_ended(event, is_mine=not self._is_client)
        elif event.kind in (Kind.CLIENT_RESET, Kind.SERVER_RESET):
            self._reset(event, is_mine=(event.kind == Kind.CLIENT_RESET) == self._is_client)
        elif event.kind == Kind.CLOSE:
            self._closed(event)

    def _tls_began(self, event: Event) -> None:
        """Add StartTLS if there was plaintext before; otherwise the connection starts with TLS."""
        self._end_run()
        if any(isinstance(each, kinds.Send | kinds.Expect) for each in self._steps):
            self._add(kinds.StartTLS(), self._since_latest(event))

    def _tls_ended(self, event: Event) -> None:
        """Add StopTLS; an end of the stream just before it was that of TLS."""
        self._end_run()
        if self._steps and isinstance(self._steps[-1], kinds.HalfClose | kinds.ExpectEof):
            self._steps.pop()
            self._ended.clear()
        self._add(kinds.StopTLS(), self._since_latest(event))

    def _stream_ended(self, event: Event, *, is_mine: bool) -> None:
        if is_mine in self._ended:
            return
        self._ended.add(is_mine)
        self._end_run()
        gap = self._since_latest(event)
        if is_mine:
            self._add(kinds.HalfClose(), gap)
        else:
            self._steps.append(kinds.ExpectEof(timeout=patience(gap)))

    def _reset(self, event: Event, *, is_mine: bool) -> None:
        self._ended = {True, False}
        self._end_run()
        gap = self._since_latest(event)
        if is_mine:
            self._add(kinds.Reset(), gap)
        else:
            self._steps.append(kinds.ExpectReset(timeout=patience(gap)))

    def _closed(self, event: Event) -> None:
        """Add the server's close, which ends its stream too."""
        self._end_run()
        if self._is_client:
            self._stream_ended(event, is_mine=False)
        if kinds.Reset() in self._steps[-1:]:
            return
        if self._steps and isinstance(self._steps[-1], kinds.HalfClose):
            self._steps.pop()  # the close ends the stream too
        self._add(kinds.Close(), 0.0 if self._is_client else self._since_latest(event))

    def _end_run(self) -> None:
        run, self._run = self._run, []
        data = b"".join(run)
        if not (data or (run and self._is_datagram)):
            return
        is_reply = self._is_mine is not self._is_client
        gap = self._gap
        for each in [data] if self._values is None else self._values.of(data, is_reply=is_reply):
            if self._is_mine:
                self._add(kinds.Send(cast("bytes", each)), gap)
            else:
                self._steps.append(kinds.Expect(cast("bytes", each), timeout=patience(gap)))
            gap = 0.0

    def _add(self, step: Step, gap: float) -> None:
        """Add a step of this end, `gap` seconds after the previous event."""
        if self._has_timing and gap >= SHORTEST:
            self._steps.append(kinds.Pause(rounded(gap)))
        self._steps.append(step)

    def _since_latest(self, event: Event) -> float:
        gap, self._latest = event.time - self._latest, event.time
        return gap


def patience(gap: float) -> float | None:
    """Return the timeout for something that took `gap` seconds; None: the default is long enough."""
    return rounded(2 * gap) if gap > PATIENCE else None


def rounded(seconds: float) -> float:
    """Return a time with two digits: more would differ from run to run."""
    return float(f"{seconds:.2g}")
