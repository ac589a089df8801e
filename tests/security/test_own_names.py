"""Certificates for names of one's own: from names, by the client's server name, and from the run's authority."""

from __future__ import annotations

import contextlib
import socket
import ssl
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
from tests.support.servers import on_every_concurrency
from tests.support.waiting import DEADLINE
from windsock import Script, UsageError, proxy, serving
from windsock.security import HandshakeFailure, RunAuthority, pem_files

NAMES = ["api.example", "*.cdn.example", "192.0.2.1"]
BY_NAME = {"a.example": "valid", "b.example": "expired", "*.c.example": "valid"}


@pytest.fixture(autouse=True)
def removed(nothing_is_left: None) -> Iterator[None]:
    """Remove the files before the test's temporary directory, which they are in."""
    yield
    pem_files.remove()


# --- names


@on_every_way
@on_every_handler
def test_a_server_has_a_certificate_for_the_names_given(way: str, concurrency: str) -> None:
    with served(way, concurrency, EchoBytes, echo_stream, tls=True, certificate=NAMES) as (server, sock):
        context = server.client_context()
        with context.wrap_socket(sock, server_hostname="images.cdn.example") as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        assert answers(server, "api.example")
        assert answers(server, "192.0.2.1")
        assert "Hostname mismatch" in fails_with(server, name="other.example")
        assert "Hostname mismatch" in fails_with(server, name="localhost")


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
@pytest.mark.parametrize("certificate", [["*.cdn.example", "api.example"], {"www.cdn.example": "valid"}])
def test_a_scripted_client_asks_for_a_name_that_the_certificate_has(certificate: Any, transport: str) -> None:
    with serving(EchoBytes, tls=True, transport=transport, certificate=certificate) as server:
        with server.connect() as client:
            client.send(b"hello").expect(b"hello")
        assert handshake_of(server).server_name == "www.cdn.example"


@on_every_concurrency
def test_a_client_that_starts_tls_later_asks_for_such_a_name_too(concurrency: str) -> None:
    with serving(concurrency=concurrency, tls="starttls", certificate=["api.example"]) as server:
        server.play(Script().expect(b"STARTTLS").send(b"go").start_tls().expect(b"hello"))
        with server.connect() as client:
            client.send(b"STARTTLS").expect(b"go").start_tls().send(b"hello").half_close().expect_eof()

    assert server.connections[0].tls is not None
    assert server.connections[0].tls.server_name == "api.example"


def test_names_that_are_not_ascii_are_sent_in_their_encoded_form() -> None:
    certificate = {"Café.example": "valid", "naïve.example": "self_signed"}
    with serving(EchoBytes, tls=True, certificate=certificate) as server:
        assert answers(server, "café.example")
        assert fails_with(server, name="naïve.example") == "self-signed certificate"
        assert handshake_of(server).server_name == "xn--caf-dma.example"


# --- by server name


@on_every_way
@on_every_handler
def test_the_certificate_is_the_one_for_the_name_that_the_client_asks_for(way: str, concurrency: str) -> None:
    with served(way, concurrency, EchoBytes, echo_stream, tls=True, certificate=BY_NAME) as (server, sock):
        with server.client_context().wrap_socket(sock, server_hostname="A.example") as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        assert answers(server, "www.c.example")
        assert fails_with(server, name="b.example") == "certificate has expired"
        assert "unrecognized name" in fails_with(server, name="d.example").lower().replace("_", " ")
        found = handshake_of(server, 3)
        assert list(server.errors) == []

    assert (found.failure, found.server_name) == (HandshakeFailure.PROTOCOL, "d.example")
    assert found.reason == "the server has no certificate for the server name"


@on_every_echo
def test_other_names_may_have_a_certificate_too(handler: Any, concurrency: str) -> None:
    certificate = {"a.example": "expired", "*": "valid"}
    with serving(handler, tls=True, concurrency=concurrency, certificate=certificate) as server:
        assert answers(server, "localhost")
        assert answers(server, "127.0.0.1")  # clients ask for no name then
        assert fails_with(server, name="a.example") == "certificate has expired"


def test_a_client_that_asks_for_no_name_gets_an_alert_if_there_is_no_other_certificate() -> None:
    with serving(EchoBytes, tls=True, certificate=BY_NAME) as server:
        assert "missing extension" in fails_with(server, name="127.0.0.1").lower().replace("_", " ")
        assert handshake_of(server).server_name is None
        assert handshake_of(server).failure == HandshakeFailure.PROTOCOL


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_the_other_options_are_those_of_every_name(version: str) -> None:
    options: Any = {"alpn": ["h2"], "minimum_version": version, "maximum_version": version, "certificate": BY_NAME}
    with serving(EchoBytes, tls="mutual", **options) as server:
        context = server.client_context(alpn=["h2"])
        assert answers(server, "a.example", context)
        found = handshake_of(server)
        server.client_context(certificate=False)
        fails_with(server, server.client_context(certificate=False), "a.example")
        assert handshake_of(server, 1).failure == HandshakeFailure.CERTIFICATE

    assert (found.version, found.alpn) == (version, "h2")
    assert found.peer_subject.endswith("CN=client@windsock.invalid")


def test_a_name_may_have_names_files_and_objects(tmp_path: Any) -> None:
    trustme = pytest.importorskip("trustme")
    own = trustme.CA().issue_cert("own.example")
    of_file = trustme.CA().issue_cert("file.example")
    path = tmp_path / "both.pem"
    of_file.private_key_and_cert_chain_pem.write_to_path(str(path))
    certificate = {"own.example": own, "file.example": path, "a.example": ["a.example", "b.example"]}
    with serving(EchoBytes, tls=True, certificate=certificate) as server:
        assert all(answers(server, name) for name in certificate)
        with server.connect() as client:
            client.send(b"hello").expect(b"hello")


# --- the run's authority


@on_every_concurrency
def test_a_certificate_that_the_authority_issues_is_served(concurrency: str) -> None:
    authority = RunAuthority()
    leaf = authority.issue("api.example", "*.cdn.example", "::1")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with serving(EchoBytes, tls=True, concurrency=concurrency, certificate=leaf) as server:
        assert answers(server, "api.example", context)
        assert answers(server, "::1", ssl.create_default_context(cafile=authority.pem_file))
        assert answers(server, "x.cdn.example", ssl.create_default_context(cadata=authority.pem.decode()))
        with server.connect() as client:
            client.send(b"hello").expect(b"hello")


def test_a_certificate_of_somebody_else_is_trusted_by_the_servers_clients_alone() -> None:
    trustme = pytest.importorskip("trustme")
    with serving(EchoBytes, tls=True, certificate=trustme.CA().issue_cert("own.example")) as server:
        assert answers(server, "own.example")
        context = ssl.create_default_context(cafile=server.ca_file)
        assert fails_with(server, context, "own.example") == "unable to get local issuer certificate"


def test_a_client_shows_a_certificate_that_the_authority_has_issued() -> None:
    leaf = RunAuthority().issue("alice.example")
    with serving(EchoBytes, tls="mutual") as server:
        with server.connect(certificate=leaf) as client:
            client.send(b"hello").expect(b"hello")
        assert handshake_of(server).failure is None
        with server.connect(certificate="missing_intermediate"):
            assert handshake_of(server, 1).reason == "unable to get local issuer certificate"


@pytest.mark.parametrize(
    ("certificate", "name", "words"),
    [
        (["api.example"], "api.example", ""),
        (["api.example"], "localhost", "Hostname mismatch"),
        (BY_NAME, "a.example", ""),
        (BY_NAME, "b.example", "certificate has expired"),
        (BY_NAME, "d.example", "(?i)unrecognized.name"),
        ("missing_intermediate", "localhost", "unable to get local issuer certificate"),
        (None, "localhost", ""),
    ],
)
def test_a_proxy_speaks_tls_with_certificates_of_the_authority(certificate: Any, name: str, words: str) -> None:
    context = RunAuthority().server_context(certificate)
    refused = pytest.raises(ssl.SSLError, match=words) if words else contextlib.nullcontext()
    with (
        serving(EchoBytes) as server,
        proxy(server.address, tls=context) as front,
        socket.create_connection(front.address, DEADLINE) as raw,
        refused,
        ssl.create_default_context(cafile=RunAuthority().pem_file).wrap_socket(raw, server_hostname=name) as client,
    ):
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"


def test_each_certificate_is_a_new_one_with_the_key_that_was_asked_for() -> None:
    authority = RunAuthority()
    one, other, rsa = authority.issue("a"), authority.issue("a"), authority.issue("a", key_type="rsa")

    assert one.private_key_pem.bytes() != other.private_key_pem.bytes()
    assert b"EC PRIVATE" in one.private_key_pem.bytes()
    assert b"RSA PRIVATE" in rsa.private_key_pem.bytes()


# --- clients that are programs


def test_curl_takes_the_certificate_for_the_name_of_its_url() -> None:
    with serving(tls=True, certificate={"a.example": "valid", "b.example": "expired"}) as server:
        server.play(Script().expect(until=b"\r\n\r\n").send(b"HTTP/1.0 200 OK\r\n\r\nhello").close())
        codes = []
        for name in ("a.example", "b.example"):
            where = ["--resolve", f"{name}:{server.port}:127.0.0.1", f"https://{name}:{server.port}/"]
            codes.append(run("curl", "--silent", "--noproxy", "*", "--cacert", server.ca_file, *where).returncode)

    assert codes == [0, 60]  # "peer certificate cannot be authenticated"


def test_openssl_sees_the_certificate_for_its_server_name() -> None:
    with serving(EchoBytes, tls=True, certificate=NAMES) as server:
        for name, code in (("api.example", 0), ("other.example", 62)):
            done = run(
                *("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", server.ca_file),
                *("-servername", name, "-verify_hostname", name),
            )
            assert f"Verify return code: {code} " in done.stdout


# --- what cannot be


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        ({}, "certificate={}: expected a certificate for each server name, such as {'a.example': 'valid', "),
        ({"a.example": "rotten"}, "certificate['a.example']='rotten': expected one of 'valid', "),
        ({"127.0.0.1": "valid"}, "certificate['127.0.0.1']='valid': expected a server name, such as 'api.example', or"),
        ({"::1": "valid"}, "certificate['::1']='valid': expected a server name, such as 'api.example', or '*' for all"),
        ({3: "valid"}, "certificate[3]='valid': expected a server name, such as 'api.example', or '*' for all others"),
        ({"{}": "valid"}, "certificate['{}']='valid': expected a server name, such as 'api.example', or '*' for all"),
        (["expired"], "certificate=['expired']: expected one of 'valid', "),
        (["api.example", "key.pem", "x"], "certificate=['api.example', 'key.pem', 'x']: expected one of 'valid', "),
        (["a..example"] * 3, "certificate=['a..example', 'a..example', 'a..example']: expected one of 'valid', "),
        ([], "certificate=[]: expected one of 'valid', "),
        (
            "ocsp_revoked",
            "certificate='ocsp_revoked': refused, since Python's ssl module can't staple OCSP responses; use "
            "'revoked', and have the client load the list windsock_ca.crl_file",
        ),
        (["my_db.example"], "no certificate can be for 'my_db.example': "),
        ({"é" * 63: "valid"}, f"certificate[{'é' * 63!r}]='valid': expected a server name, such as 'api.example'"),
        ({"a.example": "stapled"}, "certificate['a.example']='stapled': refused, since Python's ssl module can't"),
    ],
)
def test_what_no_certificate_can_be(certificate: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        serving(EchoBytes, tls=True, certificate=certificate)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), {}), "issue(): expected host names or IP addresses, such as 'api.example'"),
        ((("a b",), {}), "issue('a b'): expected host names or IP addresses, such as 'api.example'"),
        (
            (("-a.example",), {}),
            "no certificate can be for '-a.example': ",
        ),
        ((("a",), {"key_type": "dsa"}), "issue(key_type='dsa'): expected one of 'ec', 'rsa'"),
    ],
)
def test_what_the_authority_cannot_issue(arguments: Any, message: str) -> None:
    names, keywords = arguments
    with pytest.raises(UsageError) as caught:
        RunAuthority().issue(*names, **keywords)

    assert str(caught.value).startswith(message)
