"""Captures: recorded connections as packets in a pcapng file, for Wireshark and its relatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from windsock.captures.conversation import Burst, DatagramConversation, TCPConversation
from windsock.captures.files import new_file
from windsock.captures.hosts import Hosts
from windsock.captures.key_log import keys_of
from windsock.captures.pcapng import INBOUND, OUTBOUND, PcapngWriter
from windsock.net import addresses
from windsock.net.system import monotonic, wall_clock
from windsock.recording import Connection, Ending
from windsock.recording.events import Kind
from windsock.recording.redacted import redacted
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript.events import DATA, firing_text, in_words
from windsock.recording.transcript.subjects import CaptureSubject
from windsock.recording.transcript.timeline import merged
from windsock.recording.urgency import STREAM_OF, in_stream_order

__all__ = ["write_capture"]

ENDS_OF_TLS = (Kind.CLIENT_EOF, Kind.HALF_CLOSE)
"""Ends of a stream; of TLS alone, if the connection goes on in the clear."""
SHOWN_BY_FLAGS = (*ENDS_OF_TLS, Kind.CLIENT_RESET, Kind.SERVER_RESET)
"""Events that need no words, unless there is more to say."""
CLEAR, DECRYPTED = "recorded", "decrypted"
"""The names of the interfaces."""
DESCRIPTIONS = {CLEAR: "as it was sent", DECRYPTED: "what was said in TLS"}
NANO = 1_000_000_000
ABOUT = (
    "Written by windsock: synthetic packets of recorded traffic. Unix sockets of servers are 127.0.0.2, ports 60001 "
    "and up; their clients are 127.0.0.3, ports 60000 and up."
)


def write_capture(path: str, subjects: Sequence[CaptureSubject], *, key_log: bytes = b"") -> None:
    """Write the traffic of servers and proxies to a pcapng file; `key_log` has the keys of TLS sessions.

    Of the keys those are written that belong to sessions in the capture. The file takes the place of an older one once
    it is whole. Raises OSError if it cannot be written. A recording of any size needs little memory.
    """
    hosts = Hosts()
    for subject in subjects:
        hosts.add_server(subject.address)
    pairs = [(subject, place) for subject in subjects for place in range(len(subject.connections))]
    recordings = [_Recording(number, *pair, hosts) for number, pair in enumerate(pairs)]
    connections = [each.connection for each in recordings]
    epoch = round((wall_clock() - monotonic()) * NANO)
    with new_file(path) as file:
        writer = PcapngWriter(file, comment=ABOUT)
        interfaces = dict.fromkeys((False, True), writer.interface(CLEAR, DESCRIPTIONS[CLEAR]))
        if any(each.tls is not None for each in connections):
            interfaces[True] = writer.interface(DECRYPTED, DESCRIPTIONS[DECRYPTED])
        if secrets := keys_of(connections, key_log):
            writer.secrets(secrets)
        for burst in merged(((each.connection.begins, each) for each in recordings), _Recording.bursts):
            _write(writer, burst, interfaces[burst.is_encrypted], epoch)


def _write(writer: PcapngWriter, burst: Burst, interface: int, epoch: int) -> None:
    time = epoch + round(burst.time * NANO)
    for number, packet in enumerate(burst.packets):
        writer.packet(
            interface,
            time,
            packet.parts,
            comments=burst.comments if number == burst.commented else (),
            direction=INBOUND if packet.is_upstream else OUTBOUND,
        )


class _Recording:
    """One recorded connection, which becomes packets once."""

    def __init__(self, number: int, subject: CaptureSubject, place: int, hosts: Hosts) -> None:
        self.connection = subject.connections[place]
        self._number = number
        self._subject = subject
        self._place = place
        self._hosts = hosts

    def bursts(self) -> Iterator[tuple[float, Burst]]:
        """Give the packets with their times. Comments are known when the next packets are."""
        latest: Burst | None = None
        comments = [f"{self._subject.name} #{self.connection.index} from {addresses.show(self.connection.peer)}"]
        for time, burst, comment in chain(self._steps(), self._firings()):
            if burst is not None:
                if latest is not None:
                    yield latest.time, latest
                burst.time = max(time, burst.time if latest is None else latest.time)
                burst.comments += comments
                latest, comments = burst, []
            if comment:
                (comments if latest is None else latest.comments).append(comment)
        if latest is not None:
            yield latest.time, latest

    def _firings(self) -> Iterator[tuple[float, None, str]]:
        return ((each.at, None, firing_text(each)) for each in self._subject.firings_after(self._place))

    def _steps(self) -> Iterator[tuple[float, Burst | None, str]]:
        client, server = self._hosts.between(
            self.connection.peer, self._subject.address, is_datagram=self.connection.is_datagram
        )
        if self.connection.is_datagram:
            return _datagrams(self.connection, DatagramConversation(client, server))
        return _stream(self.connection, TCPConversation(client, server, self._number))


def _datagrams(connection: Connection, conversation: DatagramConversation) -> Iterator[tuple[float, Burst | None, str]]:
    for event in redacted(connection):
        if event.kind in DATA:
            yield event.time, conversation.data(event.data, is_upstream=event.kind == Kind.UP), ""
        else:
            yield event.time, None, _comment(event, connection)
    if connection.truncated_from is not None:
        yield connection.begins, None, f"cut by the server, from {connection.truncated_from} B"
    if connection.ending not in (None, Ending.SERVER_CLOSE):
        yield connection.begins, None, f"ended: {connection.ending}"


def _stream(connection: Connection, conversation: TCPConversation) -> Iterator[tuple[float, Burst | None, str]]:
    is_encrypted, clear_ahead = _begins_encrypted(connection), 0
    if connection.tls is not None:
        clear_ahead = sum(kind == Kind.TLS_END for kind in connection.kinds())
    last, burst = connection.begins, conversation.open()
    burst.is_encrypted = is_encrypted
    yield last, burst, ""
    urgent: set[int] = set()
    for event in in_stream_order(redacted(connection)):
        last = max(last, event.time)
        if event.kind in (Kind.TLS, Kind.TLS_END):
            is_encrypted = event.kind == Kind.TLS
            clear_ahead -= event.kind == Kind.TLS_END
        is_end_of_tls = is_encrypted and clear_ahead and event.kind in ENDS_OF_TLS
        sent = None if is_end_of_tls else _sent(event, conversation, urgent)
        if sent is not None:
            sent.is_encrypted = is_encrypted
        yield event.time, sent, _comment(event, connection)
    if connection.closed is not None:
        closing = conversation.finish(is_upstream=False)
        if closing is not None:
            closing.is_encrypted = is_encrypted
        yield max(last, connection.closed), closing, f"ended: {connection.ending}"


def _begins_encrypted(connection: Connection) -> bool:
    if connection.tls is None:
        return False
    kinds = (event.kind for event in connection.settled() if event.kind in (*DATA, Kind.TLS))
    return next(kinds, Kind.TLS) == Kind.TLS


def _sent(event: Event, conversation: TCPConversation, urgent: set[int]) -> Burst | None:
    """Return what an event has put on the wire. `urgent` has the kinds of data whose next byte is urgent."""
    kind = event.kind
    if kind in DATA:
        is_urgent = kind in urgent
        urgent.discard(kind)
        return conversation.data(event.data, is_upstream=kind == Kind.UP, is_urgent=is_urgent)
    if kind in STREAM_OF:
        urgent.add(STREAM_OF[kind])
    if kind in (Kind.CLIENT_EOF, Kind.HALF_CLOSE, Kind.CLOSE):
        return conversation.finish(is_upstream=kind == Kind.CLIENT_EOF)
    if kind in (Kind.CLIENT_RESET, Kind.SERVER_RESET):
        return conversation.reset(is_upstream=kind == Kind.CLIENT_RESET)
    return None


def _comment(event: Event, connection: Connection) -> str:
    """Return what a packet's comment says of an event."""
    return "" if event.kind in SHOWN_BY_FLAGS and not event.data else in_words(event, connection)
