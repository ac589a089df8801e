"""The fixtures for trio servers."""

from __future__ import annotations

from tests.plugin.conftest import Run


def test_plugin_fixtures_exist_for_every_transport(run: Run) -> None:
    result = run(
        """
        import socket
        import pytest
        from windsock import servers

        class Echo(servers.BaseRequestHandler):
            async def handle(self):
                await self.stream.send_all(await self.stream.receive_some())

        @pytest.mark.windsock(handler=Echo)
        def test_async_handler(trio_tcp_server, trio_unix_stream_server):
            with socket.create_connection(trio_tcp_server.address, 5) as client:
                client.sendall(b"x")
                assert client.recv(1) == b"x"

        def test_datagrams(trio_udp_server, trio_unix_datagram_server):
            assert trio_udp_server.options.concurrency == "trio"
        """
    )
    result.assert_outcomes(passed=2)
