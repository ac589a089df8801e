"""A server in a process of its own, for the length of a `with`: what a client costs is then the same for all.

In one process, server and client would share the interpreter's lock, and what is measured would be how they
hand it to each other.
"""

from __future__ import annotations

import importlib
import json
import logging
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import IO, Any

import windsock
from benchmarks.handlers import BLOCK, DOCUMENT, AsyncEcho, Echo, Null, NullSizes, OneDocument, Sink, StockEcho
from windsock.protocols import http, redis

__all__ = ["REDIS", "Child", "child"]

REDIS = [
    (redis.Command("SET", "k", "v"), redis.ok()),
    (redis.Command("GET", "k"), redis.bulk("v")),
    (redis.Command("PING"), redis.simple("PONG")),
]
"""Commands with their replies."""
ROOT = Path(__file__).parent.parent
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Child:
    """A running server: where it is, and a line to it."""

    address: tuple[str, int]
    questions: IO[str]
    answers: IO[str]

    def report(self) -> dict[str, Any]:
        """Ask what it has recorded, and how much memory that has taken."""
        report: dict[str, Any] = self._ask("report")
        return report

    def renewed(self) -> Child:
        """Have it stop its server and start a new one in the same process, as one test does after another."""
        host, port = self._ask("renew")
        return replace(self, address=(host, port))

    def _ask(self, question: str) -> Any:
        self.questions.write(f"{question}\n")
        self.questions.flush()
        return json.loads(self.answers.readline())


@contextmanager
def child(kind: str) -> Iterator[Child]:
    """Run "stock", "windsock", "sink", "trio", "bare trio", or "rpc" or "sizes" with "tcp" or "udp" behind it.

    Or "redis" with "bytes", "rules" or "store" behind it, or "http" with "by hand", "rules" or "pytest-httpserver".
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.child", kind],
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
                process.wait(10)
            finally:
                process.kill()


def serve(kind: str) -> None:
    """Be the child: serve until nobody is at the other end of stdin."""
    while serve_one(kind):
        pass


def serve_one(kind: str) -> bool:
    """Run one server; return whether another one is asked for."""
    others: dict[str, Any] = {"stock": stock, "bare trio": bare_trio}
    others |= {f"redis {name}": partial(redis_fake, name) for name in ("bytes", "rules", "store")}
    others |= {"http by hand": http_by_hand, "http rules": http_fake, "http pytest-httpserver": http_of_werkzeug}
    with others[kind]() if kind in others else recorded(kind) as server:
        say(server.address)
        for question in sys.stdin:
            if question == "renew\n":
                return True
            size = sum(len(chunk.data) for each in server.connections for chunk in each.chunks)
            say({"recorded_mib": size / MIB, "peak_mib": peak_mib()})
    return False


def recorded(kind: str) -> AbstractContextManager[Any]:
    """Run one of ours."""
    if kind == "trio":
        return windsock.serving(AsyncEcho, concurrency="trio")
    if kind.startswith(("rpc ", "sizes ")):
        name, _, transport = kind.partition(" ")
        return windsock.serving(Null if name == "rpc" else NullSizes, concurrency="threading", transport=transport)
    return windsock.serving(Sink if kind == "sink" else Echo, concurrency="threading")


@contextmanager
def bare_trio() -> Iterator[Any]:
    """Run trio's own server, in a thread as ours has one."""
    import trio

    addresses: SimpleQueue[Any] = SimpleQueue()

    async def echo(stream: trio.SocketStream) -> None:
        while data := await stream.receive_some(BLOCK):
            await stream.send_all(data)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, echo, 0, host="127.0.0.1", backlog=128))
            addresses.put((listeners[0].socket.getsockname(), nursery.cancel_scope, trio.lowlevel.current_trio_token()))

    thread = threading.Thread(target=trio.run, args=[main], daemon=True)
    thread.start()
    address, scope, token = addresses.get()
    yield SimpleNamespace(address=address)
    token.run_sync_soon(scope.cancel)
    thread.join()


@contextmanager
def redis_fake(name: str) -> Iterator[Any]:
    """Run a fake of redis: rules for bytes, the same rules for commands, or the small store."""
    with windsock.serving(framing=None if name == "bytes" else "redis") as server:
        if name == "store":
            redis.store(server, {"k": "v"})
        for command, reply in REDIS if name != "store" else ():
            is_bytes = name == "bytes"
            pattern = bytes(command) if is_bytes else redis.command(*command.words)
            server.on(pattern).reply(bytes(reply) if is_bytes else reply)
        yield server


@contextmanager
def http_by_hand() -> Iterator[Any]:
    """Run a server of http.server, as its documentation shows."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OneDocument) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield SimpleNamespace(address=server.server_address, connections=())
        server.shutdown()
        thread.join()


@contextmanager
def http_fake() -> Iterator[Any]:
    """Run a fake of HTTP with a rule."""
    with windsock.serving(framing="http") as server:
        server.on(http.get("/")).reply(http.response(200, json=DOCUMENT))
        yield server


@contextmanager
def http_of_werkzeug() -> Iterator[Any]:
    """Run the server of pytest-httpserver, started once for all requests as its fixture is for a session."""
    logging.getLogger("werkzeug").disabled = True
    with importlib.import_module("pytest_httpserver").HTTPServer() as server:
        server.expect_request("/").respond_with_json(DOCUMENT)
        yield SimpleNamespace(address=(server.host, server.port), connections=())


@contextmanager
def stock() -> Iterator[Any]:
    """Run one of the standard library's."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), StockEcho) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield SimpleNamespace(address=server.server_address)
        server.shutdown()
        thread.join()


def say(what: Any) -> None:
    """Tell the parent."""
    print(json.dumps(what), flush=True)


def peak_mib() -> float:
    """Return the most memory that this process has had, in MiB: VmHWM, as proc(5) has it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / MIB
    line = next(each for each in status.splitlines() if each.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    serve(sys.argv[1])
