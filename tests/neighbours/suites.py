"""A small suite of a user, blocking and in each library of event loops: what passes, what fails, and what hangs."""

from __future__ import annotations

FAKE = """
    import socket

    import pytest
    import windsock
    from windsock import Script
    from windsock.servers import StreamRequestHandler

    class Shout(StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.upper())

    def ask(server, question):
        with socket.create_connection(server.address, timeout=20) as client:
            client.sendall(question)
            return client.recv(100)

    def test_a_fake(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        assert ask(tcp_server, b"PING\\r\\n") == b"PONG\\r\\n"
        assert tcp_server.requests.only().data == b"PING\\r\\n"
"""
FAILURE = """
    def test_that_fails(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        assert ask(tcp_server, b"PING\\n") == b"PONG\\r\\n"
"""
BLOCKING = (
    FAKE
    + """
    @pytest.mark.windsock(handler=Shout)
    def test_a_handler_in_children(forking_tcp_server):
        assert ask(forking_tcp_server, b"x\\n") == b"X\\n"

    def test_a_scripted_client(serve, scripted_client, fault_proxy):
        with scripted_client(fault_proxy(serve(Shout).address).address) as client:
            client.play(Script().send(b"x\\n").expect(b"X\\n"))
"""
    + FAILURE
)
"""Three tests that pass and one that fails."""
HANG = """
    @pytest.mark.timeout(2)
    @pytest.mark.windsock(handler=Shout)
    def test_that_hangs(tcp_server):
        with socket.create_connection(tcp_server.address) as client:
            client.sendall(b"no line end")
            assert client.recv(100) == b"NO LINE END"
"""
IN_A_LOOP = """
    async def test_a_fake(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        assert await ask(tcp_server.address, b"PING\\r\\n") == b"PONG\\r\\n"
        assert (await tcp_server.requests.only_async()).data == b"PING\\r\\n"

    async def test_that_fails(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        assert await ask(tcp_server.address, b"PING\\n") == b"PONG\\r\\n"

    @pytest.mark.timeout(2)
    async def test_that_hangs(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        assert await ask(tcp_server.address, b"PING") == b"PONG\\r\\n"
"""
"""One test that passes, one that fails, and one that hangs, with the `ask()` of a library before them."""
ASYNCIO = (
    """
    import asyncio
    import pytest

    async def ask(address, question):
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(question)
            return await reader.read(100)
        finally:
            writer.close()
"""
    + IN_A_LOOP
)
ANYIO = (
    """
    import anyio
    import pytest

    async def ask(address, question):
        async with await anyio.connect_tcp(*address) as stream:
            await stream.send(question)
            try:
                return await stream.receive()
            except anyio.EndOfStream:
                return b""
"""
    + IN_A_LOOP
)
TRIO = (
    """
    import pytest
    import trio

    async def ask(address, question):
        async with await trio.open_tcp_stream(*address) as stream:
            await stream.send_all(question)
            return await stream.receive_some(100)
"""
    + IN_A_LOOP
)
