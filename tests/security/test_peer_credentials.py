"""Who may talk, by user and group, as the kernel knows them."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import pytest

from tests.support.handlers import EchoBytes
from tests.support.servers import connect, on_every_concurrency, rest_of, wait_for_end
from windsock import Ending, UsageError, combine, serving
from windsock.net import system
from windsock.security import PeerCredentials, PeerCredentialsMixIn, TLSMixIn, peer_credentials
from windsock.servers import BaseRequestHandler, ThreadingMixIn, ThreadingTCPServer, UnixStreamServer

needs_peercred = pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="needs SO_PEERCRED")


def guarded(concurrency: str = "threading", **who: Any) -> type[Any]:
    made = combine(transport="unix_stream", concurrency=concurrency, mixins=[PeerCredentialsMixIn])
    return type("Guarded", (made,), who)


@needs_peercred
@on_every_concurrency
def test_a_user_who_is_not_allowed_is_refused(concurrency: str) -> None:
    with serving(guarded(concurrency, allowed_uids=[os.getuid() + 1]), EchoBytes) as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        wait_for_end(server)

    assert server.connections[0].ending == Ending.REFUSED
    assert server.connections[0].refused == f"process {os.getpid()} has uid {os.getuid()}, not allowed"


@needs_peercred
@pytest.mark.parametrize(
    ("who", "is_allowed"),
    [
        ({}, True),
        ({"allowed_uids": [os.getuid()]}, True),
        ({"allowed_gids": {os.getgid()}}, True),
        ({"allowed_gids": {os.getgid() + 1}}, False),
        ({"allowed_uids": [os.getuid()], "allowed_gids": []}, False),
        ({"allowed_uids": []}, False),
    ],
)
def test_both_user_and_group_must_fit(who: dict[str, Any], is_allowed: bool) -> None:
    with serving(guarded(**who), EchoBytes) as server, connect(server) as client:
        if is_allowed:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        else:
            assert rest_of(client) == b""


class TellsWho(BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(repr(self.server.peer_credentials(self.request)).encode())


@needs_peercred
@on_every_concurrency
def test_a_handler_can_ask_who_it_is(concurrency: str) -> None:
    with serving(guarded(concurrency), TellsWho) as server, connect(server) as client:
        assert rest_of(client).decode() == repr(PeerCredentials(os.getpid(), os.getuid(), os.getgid()))


@needs_peercred
def test_it_goes_together_with_tls() -> None:
    class Guarded(TLSMixIn, PeerCredentialsMixIn, ThreadingMixIn, UnixStreamServer):
        pass

    with serving(Guarded, TellsWho, tls=True) as server, connect(server) as raw:
        context = server.client_context()
        with context.wrap_socket(raw, server_hostname="localhost") as client:
            assert f"pid={os.getpid()}".encode() in client.recv(1000)


@needs_peercred
def test_a_tcp_client_is_nobody_the_kernel_knows() -> None:
    class Guarded(PeerCredentialsMixIn, ThreadingTCPServer):
        pass

    with serving(Guarded, EchoBytes) as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        (error,) = server.errors.take()

    assert isinstance(error, UsageError)
    assert str(error).startswith("peer_credentials(): <")
    assert str(error).endswith("> is not a Unix stream socket, the only kind with credentials")


class AsOnMacOS:
    """A stand-in for an accepted Unix socket of macOS: answers what its kernel documents (sys/un.h, sys/ucred.h)."""

    family = socket.AF_UNIX

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def getsockopt(self, level: int, option: int, size: int = 0) -> bytes | int:
        if (level, option, size) == (0, 0x001, 76):  # SOL_LOCAL, LOCAL_PEERCRED, sizeof(struct xucred)
            return self._answer
        assert (level, option, size) == (0, 0x002, 0)  # LOCAL_PEERPID
        return 4711


def on_macos(monkeypatch: pytest.MonkeyPatch, platform: str = "darwin") -> PeerCredentialsMixIn:
    monkeypatch.delattr(system.socket, "SO_PEERCRED", raising=False)
    monkeypatch.setattr(peer_credentials, "platform", platform)
    return PeerCredentialsMixIn()


def xucred(version: int, uid: int, groups: list[int]) -> bytes:
    number = [each.to_bytes(4, sys.byteorder) for each in [version, uid, *groups, *[0] * (16 - len(groups))]]
    return b"".join(number[:2]) + len(groups).to_bytes(2, sys.byteorder) + bytes(2) + b"".join(number[2:])


def test_what_macos_says_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    server = on_macos(monkeypatch)

    found = server.peer_credentials(AsOnMacOS(xucred(0, 501, [20, 12, 61])))

    assert found == PeerCredentials(pid=4711, uid=501, gid=20)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (xucred(1, 501, [20]), "gave version 1 with 1 groups"),
        (xucred(0, 501, []), "gave version 0 with 0 groups"),
        (b"", "gave 0 bytes, expected 76"),
    ],
)
def test_what_macos_does_not_say_lets_nobody_in(monkeypatch: pytest.MonkeyPatch, answer: bytes, message: str) -> None:
    server = on_macos(monkeypatch)
    server.allowed_uids = [501]

    with pytest.raises(UsageError, match=message):
        server.verify_request(AsOnMacOS(answer), "")


def test_a_platform_that_has_neither_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    server = on_macos(monkeypatch, "another")

    with pytest.raises(UsageError, match="this platform has no SO_PEERCRED"):
        server.peer_credentials(AsOnMacOS(xucred(0, 501, [20])))
