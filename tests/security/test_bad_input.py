"""What cannot work is said before anything is started, word for word."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from tests.support.handlers import EchoBytes
from tests.support.processes import run_python
from windsock import UsageError, serving

CASES: list[tuple[dict[str, Any], str]] = [
    ({"tls": "yes"}, "tls='yes': expected True, 'mutual', 'starttls' or an ssl.SSLContext"),
    ({"tls": 1}, "tls=1: expected True, 'mutual', 'starttls' or an ssl.SSLContext"),
    ({"tls": True, "transport": "udp"}, "tls=True: TLS is for streams, and transport='udp' carries datagrams"),
    (
        {"tls": "mutual", "transport": "unix_datagram"},
        "tls='mutual': TLS is for streams, and transport='unix_datagram' carries datagrams",
    ),
    ({"certificate": "expired"}, "certificate='expired' is for servers with TLS; pass tls=True as well"),
    ({"alpn": ["h2"], "tls": False}, "alpn=['h2'] is for servers with TLS; pass tls=True as well"),
    (
        {"tls": True, "certificate": "rotten"},
        "certificate='rotten': expected one of 'valid', 'expired', 'not_yet_valid', 'wrong_name', 'self_signed', "
        "'unknown_authority', 'missing_intermediate', 'revoked', files: ('cert.pem', 'key.pem'), "
        "names: ['api.example', '*.cdn.example'], a mapping of server names: {'a.example': 'valid', 'b.example': "
        "'expired'}, or a trustme.LeafCert",
    ),
    (
        {"tls": True, "certificate": ("a.pem", "b.pem", "c.pem")},
        "certificate=('a.pem', 'b.pem', 'c.pem'): expected one of 'valid', 'expired', 'not_yet_valid', 'wrong_name', "
        "'self_signed', 'unknown_authority', 'missing_intermediate', 'revoked', files: ('cert.pem', 'key.pem'), "
        "names: ['api.example', '*.cdn.example'], a mapping of server names: {'a.example': 'valid', 'b.example': "
        "'expired'}, or a trustme.LeafCert",
    ),
    ({"tls": True, "alpn": "h2"}, "alpn='h2': expected a list of names, such as ['h2', 'http/1.1']"),
    ({"tls": True, "alpn": [""]}, "alpn=['']: '' can't be a protocol's name, 1 to 255 ASCII characters"),
    (
        {"tls": True, "minimum_version": "TLS 1.2"},
        "minimum_version='TLS 1.2': expected one of 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'",
    ),
    (
        {"tls": True, "minimum_version": "TLSv1.3", "maximum_version": ssl.TLSVersion.TLSv1_2},
        "minimum_version='TLSv1.3' is above maximum_version='TLSv1.2'",
    ),
    ({"tls": True, "ciphers": "ROT13"}, "ciphers='ROT13': OpenSSL knows none of them; see `openssl ciphers -v`"),
    ({"tls": True, "ciphers": 13}, "ciphers=13: expected text, such as 'ECDHE+AESGCM'"),
    (
        {"tls": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
        "tls=SSLContext(PROTOCOL_TLS_CLIENT): that is for clients; expected PROTOCOL_TLS_SERVER",
    ),
    (
        {"tls": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "alpn": ["h2"]},
        "alpn= and an ssl.SSLContext of your own don't go together; set it on the context",
    ),
]


@pytest.mark.parametrize(("options", "message"), CASES, ids=[message[:40] for _, message in CASES])
def test_it_is_said(options: dict[str, Any], message: str) -> None:
    options = dict(options)
    handler = None if "transport" in options else EchoBytes

    with pytest.raises(UsageError) as caught:
        serving(handler, **options)

    assert str(caught.value) == message


def test_a_server_without_tls_has_no_context_for_clients() -> None:
    with serving(EchoBytes, name="plain server") as server, pytest.raises(UsageError) as caught:
        server.client_context()

    assert str(caught.value) == "client_context(): the plain server does not speak TLS; pass tls=True"


def test_the_marker_is_checked_before_the_first_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.windsock(tls="mutal")
        def test_it(tcp_server):
            pass
        """
    )

    result = pytester.runpytest_subprocess()

    result.stderr.fnmatch_lines(["*@pytest.mark.windsock: tls='mutal': expected True, 'mutual', 'starttls' or an ssl*"])


def test_any_server_skips_tls_without_trustme(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys; sys.modules['trustme'] = None")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.windsock(transports="tcp", concurrency="threading")
        def test_it(any_server):
            any_server.requests.none()
        """
    )

    result = pytester.runpytest_subprocess("-rs")

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*needs trustme; install it: pip install 'pytest-windsock[[]tls]'*"])


def test_nothing_of_tls_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, windsock, windsock.security\n"
        "with windsock.serving() as server: server.requests.none()\n"
        "assert not {'ssl', 'trustme', 'cryptography', 'hmac'} & set(sys.modules), sorted(sys.modules)\n"
    )

    run_python(code)
