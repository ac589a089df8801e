"""A trio server in the caller's nursery."""

from __future__ import annotations

import gc
import socket
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import windsock
from tests.servers.trio.helpers import EchoPacket, Quiet, open_stream, raises_a_lookup_error, rest_of, run
from tests.support.handlers import EchoLines, EchoStream
from tests.support.servers import ask
from tests.support.waiting import DEADLINE
from windsock import servers


def test_start_returns_the_address_of_a_server_that_accepts() -> None:
    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), EchoStream) as server:
            async with trio.open_nursery() as nursery:
                address = await nursery.start(server.serve)
                assert address == server.server_address
                async with await trio.open_tcp_stream(*address) as client:
                    await client.send_all(b"hello")
                    assert await client.receive_some() == b"hello"
                server.shutdown()

    run(main)


def test_every_transport_is_served(tmp_path: Path) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for kind, handler in [
                (servers.TrioTCPServer, EchoStream),
                (servers.TrioUnixStreamServer, EchoStream),
                (servers.TrioUDPServer, EchoPacket),
                (servers.TrioUnixDatagramServer, EchoPacket),
            ]:
                kind_of_server: Any = kind
                is_unix = kind_of_server.address_family == socket.AF_UNIX
                with kind_of_server("\0" + f"{tmp_path}" if is_unix else ("127.0.0.1", 0), handler) as server:
                    await nursery.start(server.serve)
                    with trio.socket.socket(server.address_family, server.socket_type) as client:
                        if handler is EchoPacket and is_unix:
                            await client.bind(f"\0{tmp_path}-client".encode())  # as str, trio asks a thread
                        await client.connect(server.server_address)
                        await client.send(b"hello")
                        assert await client.recv(100) == b"hello"
                    server.shutdown()

    run(main)


def test_cancelling_ends_requests_and_leaves_the_listener_to_its_owner() -> None:
    ended = []

    class Waits(EchoStream):
        async def handle(self) -> None:
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                ended.append("cancelled")
                raise
            finally:
                ended.append("finally")

    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), Waits) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                client = await open_stream(server)
                await trio.testing.wait_all_tasks_blocked(0.01)
                nursery.cancel_scope.cancel()
            assert ended == ["cancelled", "finally"]
            async with client:
                assert await rest_of(client) == b""
            assert server.fileno() >= 0
            assert server.wait_for_requests(0) == []
        assert server.fileno() == -1

    run(main)


def test_a_cancelled_server_can_serve_again() -> None:
    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), EchoStream) as server:
            for _ in range(3):
                async with trio.open_nursery() as nursery:
                    await nursery.start(server.serve)
                    async with await open_stream(server) as client:
                        await client.send_all(b"again")
                        assert await client.receive_some() == b"again"
                    nursery.cancel_scope.cancel()

    run(main)


def test_after_shutdown_serve_waits_for_the_requests_in_progress() -> None:
    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), EchoStream) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                client = await open_stream(server)
                await client.send_all(b"before")
                assert await client.receive_some() == b"before"
                server.shutdown()
                await trio.testing.wait_all_tasks_blocked()
                await client.send_all(b"after")
                assert await client.receive_some() == b"after"
                await client.aclose()

    run(main)


def test_server_close_in_the_same_nursery_ends_everything() -> None:
    async def main() -> None:
        server = servers.TrioTCPServer(("127.0.0.1", 0), EchoStream)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve)
            async with await open_stream(server) as client:
                await client.send_all(b"x")
                assert await client.receive_some() == b"x"
                server.server_close()
                assert await rest_of(client) == b""

    run(main)


def test_a_handler_may_stop_its_server() -> None:
    class Stops(EchoStream):
        async def handle(self) -> None:
            self.server.shutdown()
            await self.stream.send_all(b"bye")

    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), Stops) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                async with await open_stream(server) as client:
                    assert await rest_of(client) == b"bye"

    run(main)


def test_a_shutdown_before_serve_is_remembered() -> None:
    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), EchoStream) as server:
            server.shutdown()
            await server.serve()

    run(main)


def test_a_handlers_error_ends_its_own_request_only() -> None:
    class Fails(EchoStream):
        async def handle(self) -> None:
            raise LookupError("mine")

    async def main() -> None:
        with Quiet(Fails) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                for _ in range(2):
                    async with await open_stream(server) as client:
                        assert await rest_of(client) == b""
                server.shutdown()
            assert [repr(each) for each in server.failures] == ["LookupError('mine')"] * 2

    run(main)


class Fails(EchoStream):
    async def handle(self) -> None:
        raise LookupError("asked for")


class FailsBlocking(servers.BaseRequestHandler):
    def handle(self) -> None:
        raise LookupError("asked for")


@pytest.mark.parametrize("handler", [Fails, FailsBlocking])
def test_raise_errors_hands_a_handlers_error_to_the_nursery(handler: type) -> None:
    async def main() -> None:
        with Quiet(handler) as server:
            server.raise_errors = True
            with raises_a_lookup_error("asked for"):
                async with trio.open_nursery() as nursery:
                    await nursery.start(server.serve)
                    client = await open_stream(server)
                    await trio.sleep_forever()
            await client.aclose()
            assert server.told == ["error"]

    run(main)


def test_an_error_beside_a_cancellation_is_reported_and_the_cancellation_goes_on() -> None:
    class FailsWhenCancelled(EchoStream):
        async def handle(self) -> None:
            async def fail() -> None:
                try:
                    await trio.sleep_forever()
                finally:
                    raise LookupError("on the way out")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
                nursery.start_soon(trio.sleep_forever)

    async def main() -> None:
        with Quiet(FailsWhenCancelled) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                client = await open_stream(server)
                await trio.testing.wait_all_tasks_blocked(0.01)
                nursery.cancel_scope.cancel()
            await client.aclose()
            assert nursery.cancel_scope.cancelled_caught
            assert server.told == ["error"]
            (failure,) = server.failures
            assert isinstance(failure, ExceptionGroup)
            assert failure.subgroup(LookupError) is not None

    run(main)


def test_timeouts_of_handlers_go_by_the_test_clock() -> None:
    class Patient(EchoStream):
        async def handle(self) -> None:
            with trio.move_on_after(3600):
                await self.stream.receive_some()
            await self.stream.send_all(b"an hour later")

    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), Patient) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                async with await open_stream(server) as client:
                    with trio.fail_after(7200):
                        assert await rest_of(client) == b"an hour later"
                server.shutdown()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.05))


def test_a_nursery_cancelled_while_a_blocking_handler_runs_ends_its_connection() -> None:
    seen = []

    class Reads(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"ready")
            seen.append(self.rfile.read())

    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), Reads) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                client = await open_stream(server)
                assert await client.receive_some() == b"ready"
                nursery.cancel_scope.cancel()
            assert seen == [b""]
            async with client:
                assert await rest_of(client) == b""

    run(main)


def test_the_listener_blocks_again_when_nobody_serves() -> None:
    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), EchoStream) as server:
            server.socket.settimeout(3)
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                assert server.socket.gettimeout() == 0
                server.shutdown()
            assert server.socket.gettimeout() == 3

    run(main)


def test_two_hundred_clients_are_served_at_once() -> None:
    arrived = 0

    async def main() -> None:
        everyone = trio.Event()

        class Together(EchoStream):
            async def handle(self) -> None:
                nonlocal arrived
                arrived += 1
                if arrived == 200:
                    everyone.set()
                await everyone.wait()
                await self.stream.send_all(b"all here")

        async def ask(server: Any) -> None:
            async with await open_stream(server) as client:
                assert await rest_of(client) == b"all here"

        with servers.TrioTCPServer(("127.0.0.1", 0), Together) as server:
            server.socket.listen(200)
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                async with trio.open_nursery() as clients:
                    for _ in range(200):
                        clients.start_soon(ask, server)
                server.shutdown()

    run(main)


@pytest.mark.parametrize("handler", [EchoStream, EchoLines])
def test_handle_request_handles_one_to_its_end(handler: type) -> None:
    with (
        servers.TrioTCPServer(("127.0.0.1", 0), handler) as server,
        socket.create_connection(server.server_address, DEADLINE) as client,
    ):
        client.sendall(b"one\n")
        client.shutdown(socket.SHUT_WR)
        server.handle_request()
        assert client.recv(100) == b"one\n"
        assert client.recv(100) == b""


def test_no_request_waits_for_the_garbage_collector() -> None:
    before: set[int] = set()

    def streams() -> list[Any]:
        return [each for each in gc.get_objects() if isinstance(each, trio.SocketStream) and id(each) not in before]

    async def main() -> None:
        with servers.TrioTCPServer(("127.0.0.1", 0), EchoStream) as server:
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                async with await open_stream(server) as client:
                    await client.send_all(b"x")
                    await client.receive_some()
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert streams() == [client]
                server.shutdown()

    gc.collect()
    earlier = streams()  # of other tests, kept by something
    before.update(map(id, earlier))
    gc.disable()
    try:
        run(main)
        with windsock.serving(EchoStream, concurrency="trio") as server:
            assert ask(server, b"x") == [b"x"]
        gc.collect(0)
        assert streams() == []
    finally:
        gc.enable()
