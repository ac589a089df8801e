"""Handlers that send back what they get."""

from __future__ import annotations

from typing import Any

from windsock.servers import BaseRequestHandler, DatagramRequestHandler, StreamRequestHandler


class EchoLines(StreamRequestHandler):
    """Sends each line back."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class UpperLines(StreamRequestHandler):
    """Sends each line back in capitals."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line.upper())


class EchoBytes(BaseRequestHandler):
    """Sends everything back as it comes."""

    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class EchoDatagram(DatagramRequestHandler):
    """Sends the datagram back."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.read())


class EchoStream(BaseRequestHandler):
    """Sends everything back, in a task of trio."""

    stream: Any

    async def handle(self) -> None:
        async for data in self.stream:
            await self.stream.send_all(data)


async def echo_stream(stream: Any, client_address: object, server: object) -> None:
    """Send everything back, in a task of trio."""
    async for data in stream:
        await stream.send_all(data)


async def echo_datagram(datagram: Any, client_address: object, server: object) -> None:
    """Send the datagram back, in a task of trio."""
    await datagram.reply(datagram.packet)
