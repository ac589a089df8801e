"""What stands at the ends of a measurement and in its middle: an upstream server, and proxies, each in a process."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from benchmarks.child import ROOT, Child, say

__all__ = ["ask", "other", "others", "process"]

BLOCK = 256 * 1024
BACKLOG = 1024


@contextmanager
def process(kind: str, upstream: Any = None) -> Iterator[Child]:
    """Run one of KINDS in a process of its own; a proxy leads to `upstream`."""
    command = [sys.executable, "-m", "benchmarks.proxy_ends", kind, json.dumps(upstream)]
    running = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdin is not None
    assert running.stdout is not None
    with running.stdin, running.stdout:
        try:
            host, port = json.loads(running.stdout.readline())
            yield Child((host, port), running.stdin, running.stdout)
        finally:
            running.stdin.close()
            try:
                running.wait(10)
            finally:
                running.kill()


def ask(child: Child, **question: Any) -> Any:
    """Tell a proxy of ours something, and return what it answers."""
    child.questions.write(json.dumps(question) + "\n")
    child.questions.flush()
    return json.loads(child.answers.readline())


# --- proxies of others


def others() -> list[str]:
    """Return which programs there are."""
    return [name for name in OTHERS if shutil.which(name)]


@contextmanager
def other(name: str, upstream: Any) -> Iterator[tuple[str, int]]:
    """Run a program in front of an address. Raises OSError for one that does not listen within five seconds."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        with socket.socket() as probe:  # programs that cannot say which port they have got
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        running = subprocess.Popen(OTHERS[name](port, upstream, Path(directory)), stderr=subprocess.DEVNULL)
        stack.callback(running.wait, 10)
        stack.callback(running.terminate)
        wait_for(port)
        yield ("127.0.0.1", port)


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    deadline = monotonic() + 5
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if monotonic() > deadline:
                raise
            sleep(0.02)
        else:
            return


def socat(port: int, upstream: Any, directory: Path) -> list[str]:
    """A process for each connection, with as large a buffer as ours."""
    listen = f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,nodelay"
    return ["socat", "-b", "262144", listen, f"TCP:{upstream[0]}:{upstream[1]},nodelay"]


def nginx(port: int, upstream: Any, directory: Path) -> list[str]:
    """Its stream module, one worker."""
    config = directory / "nginx.conf"
    module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    config.write_text(
        (f"load_module {module};\n" if module.exists() else "")
        + f"daemon off; worker_processes 1; pid {directory}/pid; error_log stderr;\n"
        + "events { worker_connections 2048; }\n"
        + f"stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass {upstream[0]}:{upstream[1]}; "
        + "proxy_buffer_size 256k; proxy_half_close on; } }\n"
    )
    return ["nginx", "-p", str(directory), "-c", str(config), "-e", "stderr"]


def haproxy(port: int, upstream: Any, directory: Path) -> list[str]:
    """Its TCP mode, one thread."""
    config = directory / "haproxy.cfg"
    config.write_text(
        "global\n  nbthread 1\n  maxconn 2048\n  tune.bufsize 262144\n"
        + "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n"
        + f"listen proxy\n  bind 127.0.0.1:{port}\n  server upstream {upstream[0]}:{upstream[1]}\n"
    )
    return ["haproxy", "-q", "-db", "-f", str(config)]


OTHERS: dict[str, Callable[[int, Any, Path], list[str]]] = {"socat": socat, "nginx": nginx, "haproxy": haproxy}


# --- in the processes


def threads(handle: Callable[[socket.socket], None]) -> None:
    """Give each client a thread."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    say(listener.getsockname())

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=handle, args=[client], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


def upstream(client: socket.socket) -> None:
    """Echo to a client that says "e"; count for one that says "b", and tell it at the end how much it was."""
    with client:
        if client.recv(1) == b"e":
            while data := client.recv(BLOCK):
                client.sendall(data)
            return
        total, buffer = 0, bytearray(BLOCK)
        while size := client.recv_into(buffer):
            total += size
        client.sendall(b"%d" % total)


def many() -> None:
    """Echo to any number of clients, from one thread, so that only the proxy feels how many they are."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    say(listener.getsockname())
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == sys.stdin.fileno():
                return
            if descriptor == listener.fileno():
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[client.fileno()] = client
                poll.register(client, select.EPOLLIN)
            elif data := clients[descriptor].recv(BLOCK):
                clients[descriptor].sendall(data)
            else:
                clients.pop(descriptor).close()


def pair(address: Any) -> Callable[[socket.socket], None]:
    """A proxy as one writes it by hand: two threads for each connection, and a buffer each that is used again."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        buffer = bytearray(BLOCK)
        with memoryview(buffer) as view:
            while size := source.recv_into(buffer):
                target.sendall(view[:size])
        target.shutdown(socket.SHUT_WR)

    def handle(client: socket.socket) -> None:
        with client, socket.create_connection(address) as server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            other_way = threading.Thread(target=pump, args=[server, client], daemon=True)
            other_way.start()
            pump(client, server)
            other_way.join()

    return handle


def ours(address: Any, *, recorded: bool) -> None:
    """A proxy of ours that takes orders: another one in its place, a fault or none, its memory."""
    from windsock.faults.kinds.delay import Delay
    from windsock.faults.kinds.rate import Rate
    from windsock.proxies.proxy import FaultProxy

    faults = {"delay": Delay, "rate": Rate}
    proxy = FaultProxy(tuple(address), recorded=recorded)
    say(proxy.address)
    for line in sys.stdin:
        question = json.loads(line)
        if "renew" in question:
            proxy.stop()
            proxy = FaultProxy(tuple(address), recorded=recorded)
            say(proxy.address)
        elif "memory" in question:
            with open("/proc/self/statm") as statm:
                say(int(statm.read().split()[1]) * resource.getpagesize() / 1024)
        else:
            proxy.fault_set.heal()
            for name, value in question.items():
                proxy.fault(faults[name](value), direction="upstream")
            say("done")
    proxy.stop()


def run(kind: str, address: Any) -> None:
    """Be the process."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if kind == "upstream":
        threads(upstream)
    elif kind == "many":
        many()
    elif kind == "pair":
        threads(pair(tuple(address)))
    else:
        ours(address, recorded=kind == "recorded")


if __name__ == "__main__":
    run(sys.argv[1], json.loads(sys.argv[2]))
