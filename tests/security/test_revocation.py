"""Certificates that the run's authority has revoked, chains without their intermediate, and resumed sessions."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.security.helpers import (
    answers,
    fails_with,
    handshake_of,
    on_every_echo,
    on_every_handler,
    on_every_way,
    run,
    served,
)
from tests.support.handlers import EchoBytes, echo_stream
from tests.support.waiting import DEADLINE
from windsock import UsageError, proxy, serving
from windsock.security import HandshakeFailure, RunAuthority, pem_files


@pytest.fixture(autouse=True)
def removed(nothing_is_left: None) -> Iterator[None]:
    """Remove the files before the test's temporary directory, which they are in."""
    yield
    pem_files.remove()


def checking() -> ssl.SSLContext:
    """Return the context of a client that asks the list of revoked certificates."""
    authority = RunAuthority()
    context = ssl.create_default_context(cafile=authority.pem_file)
    context.load_verify_locations(authority.crl_file)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_STRICT
    return context


@on_every_way
@on_every_handler
def test_a_client_with_the_list_refuses_a_revoked_certificate(way: str, concurrency: str) -> None:
    with served(way, concurrency, EchoBytes, echo_stream, tls=True, certificate="revoked") as (server, sock):
        with (
            pytest.raises(ssl.SSLCertVerificationError, match="certificate revoked"),
            checking().wrap_socket(sock, server_hostname="localhost"),
        ):
            pass
        found = handshake_of(server)

    assert (found.failure, found.alert) == (HandshakeFailure.ALERT, "certificate_revoked")


def test_a_client_without_the_list_takes_a_revoked_certificate() -> None:
    with serving(EchoBytes, tls=True, certificate="revoked") as server:
        assert answers(server, "localhost")


@on_every_echo
def test_a_client_with_the_list_takes_a_valid_certificate(handler: Any, concurrency: str) -> None:
    with serving(handler, tls=True, concurrency=concurrency) as server:
        assert answers(server, "localhost", checking())


def test_a_certificate_is_revoked_while_its_server_runs() -> None:
    authority = RunAuthority()
    leaf = authority.issue("api.example")
    with serving(EchoBytes, tls=True, certificate=leaf) as server:
        earlier = authority.crl_file
        assert answers(server, "api.example", checking())
        authority.revoke(leaf)
        authority.revoke(leaf)
        assert authority.crl_file != earlier
        assert fails_with(server, checking(), "api.example") == "certificate revoked"


def test_urllib_asks_the_list() -> None:
    with (
        serving(EchoBytes, tls=True, certificate="revoked") as server,
        pytest.raises(urllib.error.URLError, match="certificate revoked"),
    ):
        urllib.request.urlopen(f"https://localhost:{server.port}/", context=checking(), timeout=DEADLINE)


def test_curl_asks_the_list() -> None:
    with serving(EchoBytes, tls=True, certificate="revoked") as server:
        done = run(
            *("curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", server.ca_file),
            *("--crlfile", RunAuthority().crl_file, f"https://localhost:{server.port}/"),
        )
        assert "certificate revoked" in done.stderr
        assert handshake_of(server).alert == "certificate_revoked"


def test_what_is_no_certificate_can_not_be_revoked() -> None:
    with pytest.raises(UsageError, match=r"revoke\('api.example'\): expected a certificate of windsock_ca.issue\(\)"):
        RunAuthority().revoke("api.example")  # type: ignore[arg-type]


def test_only_certificates_of_the_authority_can_be_revoked() -> None:
    trustme = pytest.importorskip("trustme")
    leaf = trustme.CA().issue_cert("own.example")
    with pytest.raises(UsageError) as caught:
        RunAuthority().revoke(leaf)

    assert str(caught.value) == (
        f"revoke({leaf!r}): windsock_ca did not issue it, and can revoke only certificates of its own"
    )


# --- a chain without its intermediate


@on_every_way
@on_every_handler
def test_a_client_misses_the_intermediate_certificate(way: str, concurrency: str) -> None:
    options: Any = {"tls": True, "certificate": "missing_intermediate"}
    with served(way, concurrency, EchoBytes, echo_stream, **options) as (server, sock):
        with (
            pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"),
            server.client_context().wrap_socket(sock, server_hostname="localhost"),
        ):
            pass
        found = handshake_of(server)

    assert (found.failure, found.alert) == (HandshakeFailure.ALERT, "unknown_ca")


def test_openssl_gets_the_certificate_alone() -> None:
    with serving(EchoBytes, tls=True, certificate="missing_intermediate") as server:
        done = run(
            *("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", server.ca_file),
            *("-servername", "localhost", "-showcerts"),
        )

    assert done.stdout.count("-----BEGIN CERTIFICATE-----") == 1
    assert "Verify return code:" in done.stdout
    assert "Verify return code: 0 " not in done.stdout


# --- resumed sessions


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@on_every_way
@on_every_handler
def test_a_resumed_session_is_recorded(way: str, concurrency: str, version: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version.replace(".", "_"))
    RunAuthority().issue("localhost").configure_cert(context)
    client_context = ssl.create_default_context(cafile=RunAuthority().pem_file)
    with served(way, concurrency, EchoBytes, echo_stream, tls=context) as (server, sock):
        with client_context.wrap_socket(sock, server_hostname="localhost") as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"  # TLS 1.3: the session has come by now
            session = client.session
        with (
            socket.create_connection(server.address, DEADLINE) as raw,
            client_context.wrap_socket(raw, server_hostname="localhost", session=session) as client,
        ):
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
            assert client.session_reused
        found = [handshake_of(server, index).session_reused for index in range(2)]
        lines = [line for line in server.transcript() if "session resumed" in line]

    assert found == [False, True]
    assert len(lines) == 1
    assert version in lines[0]


def test_a_resumed_session_at_a_proxy_is_recorded() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    RunAuthority().issue("localhost").configure_cert(context)
    client_context = ssl.create_default_context(cafile=RunAuthority().pem_file)
    session = None
    with serving(EchoBytes) as server, proxy(server.address, tls=context) as front:
        for _ in range(2):
            with (
                socket.create_connection(front.address, DEADLINE) as raw,
                client_context.wrap_socket(raw, server_hostname="localhost", session=session) as client,
            ):
                client.sendall(b"hello")
                assert client.recv(5) == b"hello"
                session = client.session
        found = [each.tls.session_reused for each in front.connections.wait(2) if each.tls is not None]

    assert found == [False, True]
