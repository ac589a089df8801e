"""python -bb: bytes are never compared with text, and never made into it unawares."""

from __future__ import annotations

import pytest

from tests.support.processes import run_python

PROGRAM = """
import itertools, sys
import windsock

way = sys.argv[1]
transports = {"tcp": {}, "udp": {}, "unix_stream": {}, "unix_datagram": {}}
if sys.platform == "linux":
    transports["abstract"] = {"transport": "unix_stream", "path": "\\0windsock-bb"}
    transports["abstract_bytes"] = {"transport": "unix_datagram", "path": "\\0windsock-bb-datagram"}
for name, concurrency in itertools.product(transports, ["sync", "threading", "forking", "selecting", "trio"]):
    options = {"transport": name} | transports[name]
    kind = options["transport"]
    with windsock.serving(concurrency=concurrency, relay=way == "relayed", **options).echo() as server:
        where = server.address
        if way == "proxied":
            proxy = windsock.proxy(where, transport="udp" if kind == "udp" else None)
            where = proxy.address
        with windsock.scripted_client(where, transport=kind) as client:
            client.send(b"x").expect(b"x")
        if way == "proxied":
            proxy.finish()
        repr(server), server.transcript(), repr(server.requests), repr(list(server.connections))
        if way == "direct":
            with server.outage():
                pass
"""


@pytest.mark.parametrize("way", ["direct", "relayed", "proxied"])
def test_every_server_works_under_python_bb(way: str) -> None:
    run_python(PROGRAM, way, options=("-bb",))
