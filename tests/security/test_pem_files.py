"""Certificates as files, for clients that take paths, and keys that are not on elliptic curves."""

from __future__ import annotations

import os
import ssl
import stat
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.security.helpers import fails_with, handshake_of, secured
from tests.support.handlers import EchoBytes
from tests.support.processes import run_python
from tests.support.servers import on_every_concurrency
from windsock import UsageError, serving
from windsock.security import pem_files


@pytest.fixture(autouse=True)
def removed(nothing_is_left: None) -> Iterator[None]:
    """Remove the files before the test's temporary directory, which they are in."""
    yield
    pem_files.remove()


def test_a_client_trusts_the_authority_by_its_file() -> None:
    with (
        serving(EchoBytes, tls=True) as server,
        secured(server, ssl.create_default_context(cafile=server.ca_file)) as client,
    ):
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"


@on_every_concurrency
def test_a_client_of_mutual_tls_shows_the_certificate_of_its_files(concurrency: str) -> None:
    with serving(EchoBytes, tls="mutual", concurrency=concurrency) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        context.load_cert_chain(*server.client_files())
        with secured(server, context) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"

    assert handshake_of(server).peer_subject.endswith("CN=client@windsock.invalid")


def test_the_files_have_names() -> None:
    with serving(EchoBytes, tls="mutual") as server:
        files = server.client_files()

    assert files == (files.certificate, files.key)
    assert "BEGIN CERTIFICATE" in Path(files.certificate).read_text()
    assert "PRIVATE KEY" in Path(files.key).read_text()


def test_the_files_are_private_and_one_for_all_servers() -> None:
    with serving(tls=True) as one, serving() as other:
        assert one.ca_file == other.ca_file
        directory = os.path.dirname(one.ca_file)

    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert os.path.exists(one.ca_file)  # as long as the run
    pem_files.remove()
    assert not os.path.exists(directory)


def test_the_files_are_written_again_when_somebody_has_removed_them() -> None:
    with serving(tls=True) as server:
        os.unlink(server.ca_file)
        assert os.path.exists(server.ca_file)


def test_the_files_are_gone_when_the_process_has_ended() -> None:
    script = """
import os, windsock
with windsock.serving(tls="mutual") as server:
    paths = [server.ca_file, *server.client_files()]
    if (child := os.fork()) == 0:
        raise SystemExit  # a child's end does not take the parent's files away
    os.waitpid(child, 0)
    assert all(map(os.path.exists, paths))
    print(*paths)
"""
    paths = run_python(script, options=("-W", "ignore:This process:DeprecationWarning")).split()

    assert len(paths) == 3
    assert not any(map(os.path.exists, paths))
    assert not any(map(os.path.exists, map(os.path.dirname, paths)))


def test_a_server_without_tls_has_no_files_for_clients() -> None:
    with serving() as server, pytest.raises(UsageError) as caught:
        server.client_files()

    assert str(caught.value) == 'client_files(): the threading tcp server does not speak TLS; pass tls="mutual"'


@pytest.mark.parametrize("certificate", ["valid", "self_signed", "expired"])
@pytest.mark.parametrize("key_type", ["rsa", "ec"])
def test_a_certificate_has_the_key_that_was_asked_for(certificate: str, key_type: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    options: dict[str, Any] = {"certificate": certificate, "key_type": key_type}
    with serving(EchoBytes, tls=True, **options) as server, secured(server, context) as client:
        found = client.getpeercert(binary_form=True)

    assert found is not None
    expected = rsa.RSAPublicKey if key_type == "rsa" else ec.EllipticCurvePublicKey
    assert isinstance(x509.load_der_x509_certificate(found).public_key(), expected)


def test_a_client_that_knows_rsa_alone_gets_through() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with serving(EchoBytes, tls=True, key_type="rsa") as server:
        context.load_verify_locations(server.ca_file)
        with secured(server, context) as client:
            assert client.cipher() == ("ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2", 128)
    with serving(EchoBytes, tls=True) as server:
        assert "alert" in fails_with(server, context).lower()


def test_mutual_tls_with_rsa_keys_on_both_sides() -> None:
    with serving(EchoBytes, tls="mutual", key_type="rsa") as server:
        with server.connect() as client:
            client.send(b"a").expect(b"a")
        context = ssl.create_default_context(cafile=server.ca_file)
        context.load_cert_chain(*server.client_files())
        with secured(server, context) as other:
            other.sendall(b"b")
            assert other.recv(1) == b"b"
        assert "rsa" in os.path.basename(server.client_files().key)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"key_type": "rsa"}, "key_type='rsa' is for servers with TLS; pass tls=True as well"),
        ({"key_type": "dsa", "tls": True}, "key_type='dsa': expected one of 'ec', 'rsa'"),
        (
            {"key_type": "rsa", "tls": True, "certificate": "both.pem"},
            "key_type='rsa' is for certificates that windsock makes; certificate= has a key of its own",
        ),
        (
            {"key_type": "rsa", "tls": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)},
            "key_type= and an ssl.SSLContext of your own don't go together; set it on the context",
        ),
    ],
)
def test_what_no_key_can_be(keywords: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        serving(**keywords)  # type: ignore[arg-type]  # whatever it is

    assert str(caught.value) == message


def test_urllib_takes_the_file() -> None:
    from windsock import Script

    with serving(tls=True) as server:
        server.play(Script().expect(until=b"\r\n\r\n").send(b"HTTP/1.0 200 OK\r\n\r\nhello").close())
        context = ssl.create_default_context(cafile=server.ca_file)
        with urllib.request.urlopen(f"https://localhost:{server.port}/", context=context, timeout=5) as response:
            assert response.read() == b"hello"
