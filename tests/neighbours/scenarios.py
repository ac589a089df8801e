"""What has to work whatever a tool has replaced: a few lines for each kind of server, and for each thing that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from ssl import VERIFY_CRL_CHECK_LEAF
from typing import Any, TypeAlias

import pytest

import windsock
from tests.support.handlers import EchoLines, echo_stream
from windsock.faults import Delay
from windsock.security import RunAuthority

Scenario: TypeAlias = Callable[[str], None]

ALL: dict[str, Callable[[], None]] = {}
"""Each scenario over each transport, by a name such as "relay-tcp"."""
STREAMS = ("tcp", "unix_stream")
DATAGRAMS = ("udp", "unix_datagram")
WAIT = 5.0
"""Seconds that a wait may take that is to succeed."""
BRIEF = 0.05
"""Seconds of a delay, and of a wait that is to time out."""


def over(*transports: str) -> Callable[[Scenario], Scenario]:
    def register(scenario: Scenario) -> Scenario:
        for each in transports:
            ALL[f"{scenario.__name__}-{each}"] = partial(scenario, each)
        return scenario

    return register


def converse(server: Any) -> None:
    """Exchange a line with the server, and read it in the recording."""
    with server.connect(timeout=WAIT) as client:
        client.send(b"hello\n").expect(b"hello\n")
    assert server.requests.wait(1, timeout=WAIT)[0].data == b"hello\n"


@over(*STREAMS, *DATAGRAMS)
def fake(transport: str) -> None:
    with windsock.serving(transport=transport).echo() as server:
        converse(server)


@over(*STREAMS)
def handler(transport: str) -> None:
    for concurrency in ("sync", "threading", "forking", "selecting"):
        with windsock.serving(EchoLines, transport=transport, concurrency=concurrency) as server:
            converse(server)


@over(*STREAMS)
def forking_fake(transport: str) -> None:
    with windsock.serving(transport=transport, concurrency="forking", framing="lines") as server:
        server.on(b"hello").reply(b"hello\n")
        converse(server)


@over(*STREAMS)
def trio(transport: str) -> None:
    for each in (EchoLines, echo_stream):
        for tls in (None, True):
            with windsock.serving(each, transport=transport, concurrency="trio", tls=tls) as server:
                converse(server)


@over(*STREAMS)
def tls(transport: str) -> None:
    for concurrency in ("threading", "forking", "selecting"):
        with windsock.serving(EchoLines, transport=transport, concurrency=concurrency, tls="mutual") as server:
            converse(server)


@over(*STREAMS)
def expired_certificate(transport: str) -> None:
    with (
        windsock.serving(transport=transport, tls=True, certificate="expired", strict=False) as server,
        pytest.raises(windsock.WindsockError, match="certificate has expired"),
        server.connect() as client,
    ):
        client.send(b"x").expect(b"x")


@over(*STREAMS)
def certificate_by_name(transport: str) -> None:
    certificate: Any = {"a.example": "valid", "b.example": RunAuthority().issue("b.example")}
    for concurrency in ("threading", "forking", "selecting"):
        with windsock.serving(
            EchoLines, transport=transport, concurrency=concurrency, tls=True, certificate=certificate
        ) as server:
            converse(server)
            with (
                pytest.raises(windsock.WindsockError, match="unrecognized name"),
                server.connect(server_hostname="c.example") as client,
            ):
                client.send(b"x").expect(b"x")


@over(*STREAMS)
def revoked_certificate(transport: str) -> None:
    with windsock.serving(transport=transport, tls=True, certificate="revoked", strict=False) as server:
        context = server.client_context()
        context.load_verify_locations(RunAuthority().crl_file)
        context.verify_flags |= VERIFY_CRL_CHECK_LEAF
        with (
            pytest.raises(windsock.WindsockError, match="certificate revoked"),
            server.connect(tls=context) as client,
        ):
            client.send(b"x").expect(b"x")


@over(*STREAMS, *DATAGRAMS)
def relay(transport: str) -> None:
    with windsock.serving(transport=transport, faults=[Delay(BRIEF)]).echo() as server:
        converse(server)


@over(*STREAMS, *DATAGRAMS)
def proxy(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        server.echo()
        with (
            windsock.proxy(server.address, transport=transport, faults=[Delay(BRIEF)]) as proxied,
            windsock.scripted_client(proxied.address, transport=transport, timeout=WAIT) as client,
        ):
            client.send(b"hello\n").expect(b"hello\n")


@over(*STREAMS, *DATAGRAMS)
def outage(transport: str) -> None:
    with windsock.serving(transport=transport).echo() as server:
        with server.outage():
            pass
        converse(server)


@over(*STREAMS)
def slow_reply(transport: str) -> None:
    with windsock.serving(transport=transport, framing="lines") as server:
        server.on(b"hello").reply(b"hello\n", pieces=3, every=BRIEF)
        converse(server)


@over(*STREAMS)
def crowd(transport: str) -> None:
    with windsock.serving(transport=transport).echo() as server:
        script = windsock.Script().send(b"x").expect(b"x")
        assert server.crowd(3, script, spread=BRIEF).met == 3


@over(*STREAMS, *DATAGRAMS)
def wait_that_times_out(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        server.requests.none(settle=BRIEF)
        with server.connect() as client, pytest.raises(windsock.ScriptTimeout):
            client.expect(b"x", timeout=BRIEF)


@over(*STREAMS)
def stop_that_times_out(transport: str) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        has_begun.set()
        may_end.wait(WAIT)

    server = windsock.serving(wait, transport=transport, timeout=4 * BRIEF)
    with server.connect() as client:
        client.send(b"x")
        assert has_begun.wait(WAIT)
        try:
            with pytest.raises(windsock.StillRunning):
                server.stop()
        finally:
            may_end.set()


UNIX = {name: scenario for name, scenario in ALL.items() if "-unix" in name}
"""Those that need no network."""
WITHOUT_TRIO = {name: scenario for name, scenario in ALL.items() if not name.startswith("trio-")}
