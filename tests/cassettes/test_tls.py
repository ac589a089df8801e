"""Encrypted conversations in cassettes."""

from __future__ import annotations

from pathlib import Path

import pytest

import windsock
from tests.cassettes.helpers import cassette, without_times
from tests.proxies.test_tls import server_tls
from windsock.security import certificates

pytest.importorskip("trustme")


def ask(address: object, reply: bytes) -> None:
    """Talk TLS to the recorder, or to the replay."""
    context = certificates.client_context(certificate=False)
    with windsock.scripted_client(address, tls=context, server_hostname="localhost") as client:
        client.send(b"PING\n").expect(reply)


def test_encrypted_conversations_are_kept_in_the_clear_and_replayed_with_tls(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    ours, theirs = server_tls(), certificates.client_context(certificate=False)
    with windsock.serving(framing="lines", tls=True) as server:
        server.on(b"PING").reply(b"+PONG\n")
        keywords = {"framing": "lines", "tls": ours, "upstream_tls": theirs, "server_name": "localhost"}
        with windsock.record(server.address, path, **keywords) as real:
            ask(real.address, b"+PONG\n")

    lines = without_times(path.read_text())
    assert lines[1].startswith("1 tls: version=TLSv1.3 cipher=TLS_")
    assert lines[2:4] == [r"1 > PING\n", r"1 < +PONG\n"]
    with windsock.replay(path) as server:
        ask(server.address, b"+PONG\n")


def test_an_encrypted_conversation_that_only_passes_through_is_not_kept(tmp_path: Path) -> None:
    with windsock.serving(framing="lines", tls=True) as server:
        server.echo()
        with (
            pytest.raises(windsock.CassetteError, match="connection 1 is encrypted"),
            windsock.record(server.address, tmp_path / "a.txt") as real,
        ):
            ask(real.address, b"PING\n")

    assert list(tmp_path.iterdir()) == []


def test_a_replay_agrees_on_the_protocol_that_was_recorded(tmp_path: Path) -> None:
    facts = "1 tls: version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 alpn=imap"
    path = cassette(tmp_path / "a.txt", "1 opened", facts, r"1 > PING\n", r"1 < +PONG\n")

    context = certificates.client_context(certificate=False)
    context.set_alpn_protocols(["pop3", "imap"])
    with windsock.replay(path) as server, server.connect(tls=context) as client:
        client.send(b"PING\n").expect(b"+PONG\n")

    handshake = server.connections[0].tls
    assert handshake is not None
    assert handshake.alpn == "imap"
