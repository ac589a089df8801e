"""Echo servers that hold many connections, ours and others', each in a process of its own."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import resource
import selectors
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from benchmarks.child import ROOT, Child, say
from benchmarks.handlers import BLOCK, AsyncEcho, Echo, StockEcho

__all__ = ["PEERS", "peer", "references"]

BACKLOG = 1024
BIG = bytes(10_000_000)
"""What a client gets that asks for much."""
MUCH = b"much"


@contextmanager
def peer(kind: str) -> Iterator[Child]:
    """Run one of PEERS."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peers", kind],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        try:
            host, port = json.loads(process.stdout.readline())
            yield Child((host, port), process.stdin, process.stdout)
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            finally:
                process.kill()


def references() -> list[str]:
    """Return the peers that show what the machine makes of a measure: nothing recorded, as little code as can be."""
    uvloop = ["uvloop streams"] if importlib.util.find_spec("uvloop") is not None else []
    return ["bare thread", "selectors loop", *uvloop]


def answer_questions() -> None:
    """Report how much memory there is in use, until nobody asks any more."""
    for _ in sys.stdin:
        with open("/proc/self/statm") as statm:
            pages = int(statm.read().split()[1])
        say({"kib": pages * resource.getpagesize() / 1024})


def leave() -> None:
    """End at once: an orderly end of thousands of tasks is not what is measured."""
    os._exit(0)


# --- ours


class Generous(Echo):
    """Echoes, and answers one word with ten megabytes."""

    def handle(self) -> None:
        while data := self.request.recv(BLOCK):
            self.request.sendall(BIG if data == MUCH else data)


def ours(concurrency: str, handler: Any = Echo) -> Callable[[], None]:
    """Return who serves with a recorded server."""

    def serve() -> None:
        import windsock

        with windsock.serving(handler, concurrency=concurrency, backlog=BACKLOG) as server:
            say(server.address)
            answer_questions()

    return serve


def lines() -> None:
    """Serve a recorded selecting server whose handler has files."""
    import windsock
    from windsock.servers import StreamRequestHandler

    class Lines(StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(line)

    with windsock.serving(Lines, concurrency="selecting", backlog=BACKLOG) as server:
        say(server.address)
        answer_questions()


def stock() -> None:
    """Serve with the standard library's threads."""

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = BACKLOG
        daemon_threads = True

    with Server(("127.0.0.1", 0), StockEcho) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        say(server.server_address)
        answer_questions()
        server.shutdown()


# --- by hand


def bare_thread() -> None:
    """Serve each client in a thread that blocks: the least that a round trip takes."""

    def echo(client: socket.socket) -> None:
        buffer = bytearray(BLOCK)
        with client, memoryview(buffer) as view:
            while size := client.recv_into(buffer):
                client.sendall(view[:size])

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=echo, args=[client], daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    say(listener.getsockname())
    threading.Thread(target=accept, daemon=True).start()
    answer_questions()
    leave()


def selectors_loop() -> None:
    """Serve all clients in one loop over `selectors`; a client whose buffer is full is written to, and not read."""
    selector = selectors.DefaultSelector()

    def accept() -> None:
        client, _ = listener.accept()
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ)

    def echo(client: socket.socket, rest: bytes | None) -> None:
        data = rest or client.recv(BLOCK)
        if not data:
            selector.unregister(client)
            client.close()
            return
        try:
            left = data[client.send(data) :]
        except BlockingIOError:
            left = data
        if left or rest:
            selector.modify(client, selectors.EVENT_WRITE if left else selectors.EVENT_READ, left)

    def loop() -> None:
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    accept()
                else:
                    echo(cast("socket.socket", key.fileobj), key.data)

    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    selector.register(listener, selectors.EVENT_READ)
    say(listener.getsockname())
    threading.Thread(target=loop, daemon=True).start()
    answer_questions()
    leave()


# --- asyncio


async def echo_streams(reader: Any, writer: Any) -> None:
    """Echo with asyncio's streams."""
    while data := await reader.read(BLOCK):
        writer.write(data)
        await writer.drain()
    writer.close()


class EchoProtocol(asyncio.Protocol):
    """Echoes with an asyncio protocol."""

    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def asyncio_with(start: Callable[[], Any], *, loop_factory: Any = None) -> None:
    """Serve in an asyncio loop, until nobody asks any more."""

    async def main() -> None:
        server = await start()
        say(server.sockets[0].getsockname())
        await asyncio.to_thread(answer_questions)
        leave()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def streams() -> Any:
    """Start a server of streams."""
    return asyncio.start_server(echo_streams, "127.0.0.1", 0, backlog=BACKLOG)


def protocol() -> Any:
    """Start a server of protocols."""
    return asyncio.get_running_loop().create_server(EchoProtocol, "127.0.0.1", 0, backlog=BACKLOG)


# --- trio


def trio_streams() -> None:
    """Serve bare trio streams."""
    trio: Any = importlib.import_module("trio")

    async def echo(stream: Any) -> None:
        while data := await stream.receive_some(BLOCK):
            await stream.send_all(data)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=BACKLOG)
            nursery.start_soon(trio.serve_listeners, echo, [listener])
            say(listener.socket.getsockname())
            await trio.to_thread.run_sync(answer_questions)
            leave()

    trio.run(main)


PEERS: dict[str, Callable[[], None]] = {
    "selecting": ours("selecting"),
    "selecting, generous": ours("selecting", Generous),
    "selecting, files": lines,
    "threading": ours("threading"),
    "trio": ours("trio", AsyncEcho),
    "bare thread": bare_thread,
    "selectors loop": selectors_loop,
    "stock threads": stock,
    "asyncio streams": lambda: asyncio_with(streams),
    "asyncio protocol": lambda: asyncio_with(protocol),
    "uvloop streams": lambda: asyncio_with(streams, loop_factory=importlib.import_module("uvloop").new_event_loop),
    "trio streams": trio_streams,
}
"""Who can be asked to echo."""


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    PEERS[sys.argv[1]]()
