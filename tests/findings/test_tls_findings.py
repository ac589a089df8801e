"""TLS that client and server could not agree on, and TLS that ended too early."""

from __future__ import annotations

from tests.findings.conftest import Conclude

ASK = """
    def ask(server, context, name="localhost"):
        with client_of(server, 2) as client, context.wrap_socket(client, server_hostname=name) as tls:
            tls.sendall(b"a")
            return tls.recv(100)
    """


def test_certificates_that_one_end_did_not_take_are_named(conclude: Conclude) -> None:
    found = conclude(
        ASK
        + """
    @pytest.mark.windsock(tls=True)
    def test_untrusted(tcp_server):
        ask(tcp_server, ssl.create_default_context())

    @pytest.mark.windsock(tls=True)
    def test_name(tcp_server):
        ask(tcp_server, tcp_server.client_context(), "example.org")

    @pytest.mark.windsock(tls=True, certificate="expired")
    def test_expired(tcp_server):
        ask(tcp_server, tcp_server.client_context())

    @pytest.mark.windsock(tls=True, certificate=["api.example", "*.cdn.example"])
    def test_names(tcp_server):
        ask(tcp_server, tcp_server.client_context(), "localhost")

    @pytest.mark.windsock(tls=True, certificate={"a.example": "expired", "b.example": ["c.example"]})
    @pytest.mark.parametrize("name", ["a.example", "b.example", "d.example"])
    def test_by_name(tcp_server, name):
        ask(tcp_server, tcp_server.client_context(), name)

    @pytest.mark.windsock(tls="mutual")
    def test_missing(tcp_server):
        ask(tcp_server, tcp_server.client_context(certificate=False))
    """
    )

    assert found == {
        "test_untrusted": [
            "tcp_server #0: the client does not trust the server's certificate: server.client_context() trusts it, "
            "and so does a context that has loaded server.ca_file"
        ],
        "test_name": [
            "tcp_server #0: the client asked for example.org, "
            "the server's certificate is for localhost, 127.0.0.1 and ::1"
        ],
        "test_expired": [
            "tcp_server #0: the client refused the certificate (certificate expired), as certificate='expired' asks for"
        ],
        "test_names": [
            "tcp_server #0: the client asked for localhost, the server's certificate is for api.example and "
            "*.cdn.example"
        ],
        "test_by_name[a.example]": [
            "tcp_server #0: the client refused the certificate (certificate expired), as certificate='expired' asks for"
        ],
        "test_by_name[b.example]": [
            "tcp_server #0: the client asked for b.example, the server's certificate is for c.example"
        ],
        "test_by_name[d.example]": [
            "tcp_server #0: the client asked for d.example, certificate= has a.example and b.example, and no '*' for "
            "all others"
        ],
        "test_missing": [
            "tcp_server #0: the server asks for a client certificate and the client showed none: "
            "server.client_context() has one"
        ],
    }


def test_versions_and_protocols_are_shown_as_offered_and_as_taken(conclude: Conclude) -> None:
    found = conclude(
        ASK
        + """
    @pytest.mark.windsock(tls=True, minimum_version="TLSv1.3")
    def test_old_client(tcp_server):
        context = tcp_server.client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        ask(tcp_server, context)

    @pytest.mark.windsock(tls=True, minimum_version="TLSv1.2", maximum_version="TLSv1.2")
    def test_new_client(tcp_server):
        context = tcp_server.client_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        ask(tcp_server, context)

    @pytest.mark.windsock(tls=True)
    @pytest.mark.parametrize("taken", [["h2"], None])
    def test_alpn(serve, taken):
        server = serve(tls=True, alpn=taken, name="web")
        context = server.client_context(alpn=["http/1.1"])
        with client_of(server) as client, context.wrap_socket(client, server_hostname="localhost") as tls:
            assert tls.selected_alpn_protocol() == "http/1.1"
    """
    )

    versions = "tcp_server #0: no version of TLS was agreed on: the client offered"
    protocols = "web #0: no protocol was agreed on (ALPN): the client offered http/1.1, the server takes"
    assert found["test_old_client"] == [f"{versions} TLSv1.2, the server takes TLSv1.3 or later"]
    assert found["test_new_client"] == [f"{versions} TLSv1.3, the server takes TLSv1.2"]
    assert found["test_alpn[taken0]"] == [f"{protocols} h2"]
    assert found["test_alpn[None]"] == [f"{protocols} none: pass alpn=['http/1.1']"]


def test_one_end_without_tls_is_named(conclude: Conclude) -> None:
    found = conclude(
        ASK
        + """
    @pytest.mark.windsock(tls=True)
    def test_client(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            assert client.recv(100) == b"HTTP/1.0 200 OK\\r\\n"

    @pytest.mark.windsock(framing=b"\\r\\n\\r\\n")
    def test_server(tcp_server):
        with client_of(tcp_server, 0.3) as client:
            ssl.create_default_context().wrap_socket(client, server_hostname="localhost")

    @pytest.mark.windsock(tls="starttls", framing=b"\\r\\n")
    def test_starttls(tcp_server):
        tcp_server.on(b"STARTTLS").play(Script().send(b"220 go\\r\\n").start_tls())
        with client_of(tcp_server, 0.3) as client:
            ssl.create_default_context().wrap_socket(client, server_hostname="localhost")
    """
    )

    assert found == {
        "test_client": [
            "tcp_server #0: the client spoke without TLS, the server speaks TLS: connect with server.client_context()"
        ],
        "test_server": [
            "tcp_server #0: the client began a TLS handshake, the server does not speak TLS: pass tls=True"
        ],
        "test_starttls": ["tcp_server #0: the client began a TLS handshake before STARTTLS"],
    }


def test_truncated_tls_that_was_taken_for_whole_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(tls=True)
    def test_reply(tcp_server):
        tcp_server.on(b"a").reply(b"hello", end="close")
        context = tcp_server.client_context()
        with tcp_server.fault(TLSTruncate(after_bytes=3)), client_of(tcp_server) as client:
            with context.wrap_socket(client, server_hostname="localhost") as tls:
                tls.sendall(b"a")
                assert b"".join(iter(lambda: tls.recv(100), b"")) == b"hello"

    @pytest.mark.windsock(tls=True, framing="eof")
    def test_request(tcp_server):
        context = tcp_server.client_context()
        with client_of(tcp_server) as client, context.wrap_socket(client, server_hostname="localhost") as tls:
            tls.sendall(b"hel")
        assert tcp_server.requests.only().data == b"hello"
    """
    )

    cut = "without the end of TLS (close_notify)"
    assert found == {
        "test_reply": [
            f"tcp_server #0: TLSTruncate(3) ended the stream {cut}, and the client took what had come for the whole: "
            "SSLContext.wrap_socket(..., suppress_ragged_eofs=False) makes that an error"
        ],
        "test_request": [
            f"tcp_server #0: the client's stream ended {cut}, and the server took the 3 B that had come for the "
            "whole message"
        ],
    }


def test_handshakes_that_went_well_are_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        ASK
        + """
    @pytest.mark.windsock(tls=True, alpn=["h2"])
    def test_it(tcp_server):
        tcp_server.echo()
        assert ask(tcp_server, tcp_server.client_context(alpn=["http/1.1"])) == b"b"

    @pytest.mark.windsock(tls=True)
    def test_another_reason(tcp_server):
        with pytest.raises(ssl.SSLError):
            ask(tcp_server, ssl.create_default_context())
        raise LookupError("something else")

    @pytest.mark.windsock(tls=True)
    def test_noticed(tcp_server):
        tcp_server.on(b"a").reply(b"hello", end="close")
        context = tcp_server.client_context()
        with tcp_server.fault(TLSTruncate(after_bytes=3)), client_of(tcp_server) as client:
            with context.wrap_socket(client, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
                tls.sendall(b"a")
                while tls.recv(100):
                    pass
    """
    )

    assert (found["test_it"], found["test_another_reason"]) == ([], [])
    assert [each for each in found["test_noticed"] if "for the whole" in each] == []
