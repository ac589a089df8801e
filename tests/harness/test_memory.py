"""Large traffic does not eat the memory: it spills to a file, and can be read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.processes import run_python

MIB = 1 << 20
SCRIPT = """
import hashlib, json, resource, socket, sys
import windsock

concurrency, count, piece, at_once, greeting = sys.argv[1], *map(int, sys.argv[2:6])

def peak():
    # getrusage(2) would also count what this process was before it was this script
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

def handler(request, client_address, server):
    if greeting:
        request.sendall(b"hello")
    while request.recv(at_once):
        pass

block = bytes(range(256)) * (piece // 256 + 1)
block = block[:piece]
sent = hashlib.sha256()
with windsock.serving(handler, concurrency=concurrency, timeout=30) as server:
    with socket.create_connection(server.address) as client:
        for number in range(count):
            client.sendall(block)
            sent.update(block)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(200)
        while client.recv(100):
            pass
    request = server.requests.wait(1, timeout=200)[0]
    found, size = hashlib.sha256(), 0
    for chunk in server.connections[0].chunks:
        if chunk.direction == "upstream":
            found.update(chunk.data)
            size += len(chunk.data)
    lines = server.transcript()
print(json.dumps({
    "size": size, "is_equal": found.digest() == sent.digest(), "length": len(request), "lines": len(lines),
    "reply": request.reply.decode(), "peak": peak(),
    "children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
}))
"""


SECONDS = 220.0
"""A GiB, piece by piece, in seconds: 10 where the cores are free."""
pytestmark = pytest.mark.timeout(240)


def run(*words: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run_python(SCRIPT, *map(str, words), timeout=SECONDS))
    return found


@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_a_stream_of_a_gibibyte_stays_under_128_mib(concurrency: str) -> None:
    found = run(concurrency, 16384, 65536, 65536, 1)

    assert found["size"] == found["length"] == 1024 * MIB
    assert found["is_equal"]
    assert found["reply"] == "hello"
    assert found["lines"] <= 51
    assert max(found["peak"], found["children"]) < 128 * MIB
