"""Defects of TLS: certificates, names, versions, protocols, and one end without it."""

from __future__ import annotations

from tests.findings.defects.conftest import NameCauses

DEFECTS = """
    import smtplib, urllib.request
    import urllib3

    TLS = pytest.mark.windsock(tls=True)

    def wrapped(server, context, name="localhost"):
        return context.wrap_socket(client_of(server), server_hostname=name)

    @pytest.mark.windsock(tls=True, minimum_version="TLSv1.3")
    def test_version(tcp_server):
        context = tcp_server.client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        wrapped(tcp_server, context)

    @TLS
    def test_host_name(tcp_server):
        wrapped(tcp_server, tcp_server.client_context(), "db.example.com")

    @TLS
    def test_unknown_authority(tcp_server):
        urllib.request.urlopen(f"https://localhost:{tcp_server.port}/", timeout=5)

    @TLS
    def test_unknown_authority_with_urllib3(tcp_server):
        urllib3.PoolManager(retries=False, timeout=5).request("GET", f"https://localhost:{tcp_server.port}/")

    @pytest.mark.windsock(tls=True, alpn=["h2"])
    def test_alpn(tcp_server):
        tcp_server.echo()
        with wrapped(tcp_server, tcp_server.client_context(alpn=["http/1.1"])) as client:
            assert client.selected_alpn_protocol() == "http/1.1"

    @pytest.mark.windsock(tls="mutual")
    def test_no_client_certificate(tcp_server):
        tcp_server.echo()
        with wrapped(tcp_server, tcp_server.client_context(certificate=False)) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"

    @TLS
    def test_plaintext_to_tls(tcp_server):
        tcp_server.echo()
        client = http.client.HTTPConnection(*tcp_server.address, timeout=5)
        client.request("GET", "/")
        assert client.getresponse().status == 200

    def test_tls_to_plaintext(tcp_server):
        tcp_server.echo()
        wrapped(tcp_server, ssl.create_default_context())

    def test_tls_to_a_plaintext_handler(serve):
        class Http(StreamRequestHandler):
            def handle(self):
                self.rfile.readline()
                self.wfile.write(b"HTTP/1.1 400 Bad Request\\r\\n\\r\\n")

        server = serve(Http)
        urllib.request.urlopen(f"https://localhost:{server.port}/", timeout=5)

    @TLS
    def test_truncated(tcp_server):
        tcp_server.on(b"GET\\n").reply(b"0123456789" * 100, pieces=2, end="close")
        tcp_server.fault(TLSTruncate(after_bytes=500))
        with wrapped(tcp_server, tcp_server.client_context()) as client:
            client.sendall(b"GET\\n")
            assert b"".join(iter(lambda: client.recv(100), b"")) == b"0123456789" * 100

    class Mail(StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 mail\\r\\n")
            while line := self.rfile.readline():
                self.wfile.write(b"220 OK\\r\\n")
                if line == b"STARTTLS\\r\\n":
                    self.start_tls()

    @pytest.mark.windsock(handler=Mail, tls="starttls")
    def test_starttls_without_tls(tcp_server):
        with client_of(tcp_server) as client, client.makefile("rb") as answers:
            answers.readline()
            client.sendall(b"STARTTLS\\r\\n")
            assert answers.readline() == b"220 OK\\r\\n"
            client.sendall(b"EHLO me\\r\\n")
            assert answers.readline() == b"220 OK\\r\\n"

    @pytest.mark.windsock(handler=Mail, tls="starttls")
    def test_tls_before_starttls(tcp_server):
        wrapped(tcp_server, tcp_server.client_context())

    @pytest.mark.windsock(tls=True, certificate="expired")
    def test_expired(tcp_server):
        wrapped(tcp_server, tcp_server.client_context())
    """

CAUSES = {
    "test_version": (
        "tcp_server #0: no version of TLS was agreed on: the client offered TLSv1.2, the server takes TLSv1.3 or later"
    ),
    "test_host_name": (
        "tcp_server #0: the client asked for db.example.com, the server's certificate is for localhost, "
        "127.0.0.1 and ::1"
    ),
    "test_unknown_authority": (
        "tcp_server #0: the client does not trust the server's certificate: server.client_context() trusts it, "
        "and so does a context that has loaded server.ca_file"
    ),
    "test_unknown_authority_with_urllib3": (
        "tcp_server #0: the client does not trust the server's certificate: server.client_context() trusts it, "
        "and so does a context that has loaded server.ca_file"
    ),
    "test_alpn": "tcp_server #0: no protocol was agreed on (ALPN): the client offered http/1.1, the server takes h2",
    "test_no_client_certificate": (
        "tcp_server #0: the server asks for a client certificate and the client showed none: "
        "server.client_context() has one"
    ),
    "test_plaintext_to_tls": (
        "tcp_server #0: the client spoke without TLS, the server speaks TLS: connect with server.client_context()"
    ),
    "test_tls_to_plaintext": (
        "tcp_server #0: the client began a TLS handshake, the server does not speak TLS: pass tls=True"
    ),
    "test_tls_to_a_plaintext_handler": (
        "threading tcp server #0: the client began a TLS handshake, the server does not speak TLS: pass tls=True"
    ),
    "test_truncated": (
        "tcp_server #0: TLSTruncate(500) ended the stream without the end of TLS (close_notify), and the "
        "client took what had come for the whole: SSLContext.wrap_socket(..., suppress_ragged_eofs=False) "
        "makes that an error"
    ),
    "test_starttls_without_tls": (
        "tcp_server #0: the client went on without TLS after STARTTLS: wrap its socket with "
        "server.client_context() first"
    ),
    "test_tls_before_starttls": "tcp_server #0: the client began a TLS handshake before STARTTLS",
    "test_expired": (
        "tcp_server #0: the client refused the certificate (certificate expired), as certificate='expired' asks for"
    ),
}


def test_the_cause_is_named(name_causes: NameCauses) -> None:
    assert name_causes(DEFECTS, CAUSES) == CAUSES
