"""trio costs nothing where it is not used."""

from __future__ import annotations

from tests.support.processes import run_python


def test_trio_is_imported_on_first_use_only() -> None:
    code = """
import sys
import windsock
from windsock import servers
class Handler(servers.BaseRequestHandler):
    async def handle(self):
        pass
server = servers.TrioTCPServer(("127.0.0.1", 0), Handler)
server.server_close()
with windsock.serving().echo() as server, server.connect() as client:
    client.send(b"x").expect(b"x").close()
    server.connections.wait()
    server.requests.wait()
print([name for name in ("trio", "asyncio", "ssl") if name in sys.modules])
"""
    assert run_python(code) == "[]\n"
