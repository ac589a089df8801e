"""Certificates made on the spot: good ones, and each kind that a client must refuse."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.security.helpers import fails_with, handshake_of, secured
from tests.support.handlers import EchoBytes
from windsock import UsageError, serving
from windsock.security import HandshakeFailure, certificates


def test_a_client_that_checks_takes_the_valid_one() -> None:
    with serving(EchoBytes, tls=True) as server:
        context = server.client_context()
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        for name in ("localhost", "127.0.0.1", "::1"):
            with secured(server, context, name) as client:
                client.sendall(b"hello")
                assert client.recv(5) == b"hello"


def test_any_context_can_be_made_to_trust_us() -> None:
    context = ssl.create_default_context()
    with serving(EchoBytes, tls=True) as server:
        server.ca.configure_trust(context)
        with secured(server, context) as client:
            assert client.version() == "TLSv1.3"


IN_NEWER_OPENSSL = {"certificate is not yet valid": "certificate is not yet valid or the system clock is incorrect"}


@pytest.mark.parametrize(
    ("profile", "clients_words", "alert"),
    [
        ("expired", "certificate has expired", "certificate expired"),
        ("not_yet_valid", "certificate is not yet valid", "bad certificate"),
        ("wrong_name", "Hostname mismatch, certificate is not valid for 'localhost'.", "bad certificate"),
        ("self_signed", "self-signed certificate", "unknown ca"),
        ("unknown_authority", "unable to get local issuer certificate", "unknown ca"),
    ],
)
def test_a_client_that_checks_refuses_the_bad_one(profile: str, clients_words: str, alert: str) -> None:
    with serving(EchoBytes, tls=True, certificate=profile) as server:
        words = fails_with(server)
        found = handshake_of(server)

    assert words in (clients_words, IN_NEWER_OPENSSL.get(clients_words))
    assert (found.failure, found.reason) == (HandshakeFailure.ALERT, alert)


@pytest.mark.parametrize(
    "profile", ["valid", "expired", "not_yet_valid", "wrong_name", "self_signed", "unknown_authority"]
)
def test_a_client_that_does_not_check_is_served_in_any_case(profile: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    with serving(EchoBytes, tls=True, certificate=profile) as server, secured(server, context) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"


def test_there_is_one_authority_for_all_servers() -> None:
    with serving(EchoBytes, tls=True) as one, serving(EchoBytes, tls="mutual") as other:
        assert one.ca is other.ca
        with secured(other, other.client_context()), secured(one, other.client_context()):
            pass


def test_the_keys_are_on_elliptic_curves_which_take_no_time_to_make() -> None:
    leaf = certificates.certificate("valid", ("localhost",))

    for pem in (certificates.authority().cert_pem, *leaf.cert_chain_pems):
        assert isinstance(x509.load_pem_x509_certificate(pem.bytes()).public_key(), ec.EllipticCurvePublicKey)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Certificates and keys of somebody's own, as files."""
    trustme = pytest.importorskip("trustme")
    ca = trustme.CA()
    found = {}
    for name in ("one", "other"):
        leaf = ca.issue_cert("localhost")
        leaf.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.pem"))
        leaf.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}-both.pem"))
        for suffix in (".pem", ".key", "-both.pem"):
            found[name + suffix] = str(tmp_path / f"{name}{suffix}")
    found["nonsense.pem"] = str(tmp_path / "nonsense.pem")
    (tmp_path / "nonsense.pem").write_text("nonsense")
    found["missing.pem"] = str(tmp_path / "missing.pem")
    return found


@pytest.mark.parametrize("names", [("one.pem", "one.key"), ("one-both.pem",)])
def test_files_of_ones_own_are_served_and_trusted(files: dict[str, str], names: tuple[str, ...]) -> None:
    with serving(EchoBytes, tls=True, certificate=[files[name] for name in names]) as server, secured(server) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("one.pem", "other.key"), "the key is not the one of the certificate"),
        (("one.pem", "missing.pem"), "there is no such file"),
        (("missing.pem",), "there is no such file"),
        (("nonsense.pem",), "expected a certificate and its key in PEM"),
        (("one.pem",), "expected a certificate and its key in PEM"),
        (("one.key", "one.pem"), "expected a certificate and its key in PEM"),
    ],
)
def test_files_that_do_not_fit_are_named(files: dict[str, str], names: tuple[str, ...], message: str) -> None:
    given: Any = tuple(files[name] for name in names)
    with pytest.raises(UsageError) as caught:
        serving(EchoBytes, tls=True, certificate=given)

    shown = repr(given[0] if len(given) == 1 else given)
    assert str(caught.value).startswith(f"certificate={shown}: {message}")


def test_a_name_that_is_no_file_is_shown_in_a_list() -> None:
    with pytest.raises(UsageError) as caught:
        serving(EchoBytes, tls=True, certificate="api.example")

    assert str(caught.value) == (
        "certificate='api.example': there is no such file; a certificate for this name is certificate=['api.example']"
    )


def test_without_trustme_the_error_names_the_extra() -> None:
    script = "import sys; sys.modules['trustme'] = None; import windsock; windsock.serving(tls=True)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "windsock.errors.NotInstalled: TLS with certificates made on the spot needs trustme; install it: "
        "pip install 'pytest-windsock[tls]', or pass an ssl.SSLContext of your own"
    )


def test_threads_that_ask_first_at_the_same_moment_get_the_same_authority() -> None:
    both_are_here = threading.Barrier(2)
    made = []

    def slow() -> object:
        with contextlib.suppress(threading.BrokenBarrierError):
            both_are_here.wait(0.2)  # the other one comes only if nothing holds it back
        made.append(object())
        return made[-1]

    answer = certificates.once(slow)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: answer(), range(2))

    assert first is second
    assert len(made) == 1
