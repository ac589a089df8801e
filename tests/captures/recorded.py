"""Traffic to show: real servers, and recordings that are made by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.support.waiting import wait_until
from windsock import RunningServer, Script, proxy, scripted_client, serving
from windsock.faults import Firing, Reset
from windsock.proxies.proxy import FaultProxy
from windsock.recording import Connections, Recorder
from windsock.recording.changes import Change
from windsock.recording.events import Kind
from windsock.servers import StreamRequestHandler

__all__ = ["Recording", "Tea", "tea_behind_a_proxy"]


class Tea(StreamRequestHandler):
    """Answers lines: with the line in capitals, with many bytes, or with a quotient."""

    def handle(self) -> None:
        for line in self.rfile:
            if line.startswith(b"divide "):
                self.wfile.write(b"%d\n" % (100 // int(line.split()[1])))
            elif line == b"bytes\n":
                self.wfile.write(bytes(range(256)) * 40)
            else:
                self.wfile.write(line.upper())


@contextmanager
def tea_behind_a_proxy() -> Iterator[tuple[RunningServer, FaultProxy]]:
    """Serve tea behind a proxy: one client is reset by a fault, and one makes the handler fail."""
    with serving(Tea, name="shop", strict=False) as shop, proxy(shop.address, name="edge", strict=False) as edge:
        with edge.fault(Reset(after_bytes=4), direction="downstream"), scripted_client(edge.address) as client:
            client.send(b"green tea\n").expect(b"GREE").expect_reset()
        with shop.connect() as client:
            client.play(Script().send(b"bytes\n").expect(bytes(range(256)) * 40).send(b"divide 0\n").expect_eof())
        wait_until(lambda: all(each.is_closed for each in [*shop.connections, *edge.connections]))
        yield shop, edge


class Recording:
    """A subject whose traffic never was: events are written down by hand."""

    def __init__(self, name: str = "shop") -> None:
        self.name = name
        self.address: Any = ("127.0.0.1", 4000)
        self.recorder = Recorder()
        self.firings: Sequence[Firing] = ()
        self.changes: Sequence[Change] = ()

    @property
    def connections(self) -> Connections:
        return Connections(self.recorder, lambda: 1.0)

    def describe(self) -> str:
        return self.name

    def unrecorded_firings(self) -> Sequence[Firing]:
        return self.firings

    def fault_summary(self) -> list[str]:
        return []

    def exchange(self, *messages: tuple[int, bytes], peer: Any = ("127.0.0.1", 5000)) -> None:
        """Record a connection that carries messages, pairs of a kind of event and its data, and is closed."""
        connection = self.recorder.open(peer)
        for kind, data in messages:
            connection.note(kind, data)
        connection.note(Kind.CLOSE)
