"""Defects of clients and handlers of real protocols."""

from __future__ import annotations

from tests.findings.defects.conftest import NameCauses

DEFECTS = """
    import ftplib, json, smtplib, xmlrpc.client
    import redis, urllib3

    HTTP = pytest.mark.windsock(framing=b"\\r\\n\\r\\n")

    def url(server):
        return f"http://127.0.0.1:{server.port}/"

    @HTTP
    def test_content_length_too_small(tcp_server):
        body = json.dumps({"name": "Grüße"}, ensure_ascii=False)
        tcp_server.reply(f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}".encode())
        assert urllib3.PoolManager(timeout=5).request("GET", url(tcp_server)).json() == {"name": "Grüße"}

    @HTTP
    def test_content_length_too_large(tcp_server):
        tcp_server.reply(b"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nhello", end="close")
        assert urllib3.PoolManager(timeout=5, retries=False).request("GET", url(tcp_server)).data == b"hello"

    @HTTP
    def test_content_length_too_large_and_open(tcp_server):
        tcp_server.reply(b"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nhello")
        client = http.client.HTTPConnection(*tcp_server.address, timeout=0.3)
        client.request("GET", "/")
        assert client.getresponse().read() == b"hello"

    @HTTP
    def test_chunked_body_without_its_end(tcp_server):
        tcp_server.reply(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhello\\r\\n", end="close")
        client = http.client.HTTPConnection(*tcp_server.address, timeout=5)
        client.request("GET", "/")
        assert client.getresponse().read() == b"hello"

    @HTTP
    def test_chunk_of_the_wrong_size(tcp_server):
        head = b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
        tcp_server.reply(head + b"10\\r\\n0123456789\\r\\n0\\r\\n\\r\\n", end="close")
        pool = urllib3.PoolManager(timeout=5, retries=False)
        assert pool.request("GET", url(tcp_server)).data == b"0123456789"

    class Upload(StreamRequestHandler):
        def handle(self):
            length = 0
            while (line := self.rfile.readline().strip()):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split()[1])
            body = self.rfile.read(length)
            self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")

    @pytest.mark.windsock(handler=Upload)
    def test_clients_content_length_too_large(tcp_server):
        client = http.client.HTTPConnection(*tcp_server.address, timeout=0.3)
        client.request("POST", "/", body=b"hello", headers={"Content-Length": "50"})
        assert client.getresponse().status == 200

    @HTTP
    def test_reuse_of_a_closed_http_connection(tcp_server):
        tcp_server.reply(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n", end="close")
        client = http.client.HTTPConnection(*tcp_server.address, timeout=5)
        client.request("GET", "/")
        client.getresponse().read()
        tcp_server.connections.wait(1)
        client.request("GET", "/")
        client.getresponse().read()

    def test_redis_says_more_than_ping(tcp_server):
        tcp_server.on(b"*1\\r\\n$4\\r\\nPING\\r\\n").reply(b"+PONG\\r\\n")
        client = redis.Redis(*tcp_server.address, socket_timeout=0.5)
        assert client.ping()

    def test_redis_wrong_length(tcp_server):
        tcp_server.on(b"*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\nk\\r\\n").reply(b"$10\\r\\nvalue\\r\\n")
        options = {"protocol": 2, "lib_name": None, "lib_version": None, "retry": None}
        client = redis.Redis(*tcp_server.address, socket_timeout=0.3, **options)
        assert client.get("k") == b"value"

    @pytest.mark.windsock(framing="lines")
    def test_smtp_refuses(tcp_server):
        tcp_server.greet(b"220 ready\\r\\n")
        tcp_server.on(re.compile(b"(?i)^(ehlo|helo)")).reply(b"250 hello\\r\\n")
        tcp_server.on(re.compile(b"(?i)^mail")).reply(b"250 ok\\r\\n")
        with smtplib.SMTP(*tcp_server.address, timeout=5) as client:
            client.mail("a@example.com")
            client.docmd("RCPT TO:<b@example.com>")  # sendmail() writes "rcpt TO:" or, since Python 3.13, "rcpt to:"

    @pytest.mark.windsock(framing="lines")
    def test_smtp_multiline_reply_without_its_last_line(tcp_server):
        tcp_server.greet(b"220 ready\\r\\n")
        tcp_server.on(re.compile(b"(?i)^ehlo")).reply(b"250-hello\\r\\n250-SIZE\\r\\n")
        client = smtplib.SMTP(*tcp_server.address, timeout=0.3)
        client.ehlo()

    @pytest.mark.windsock(framing="lines")
    def test_ftp_data_connection_to_a_wrong_port(serve):
        control, data = serve(name="control"), serve(name="data")
        data.greet(b"hello", end="close")
        control.greet(b"220 ready\\r\\n")
        control.on(b"USER anonymous").reply(b"331 password\\r\\n")
        control.on(re.compile(b"^PASS")).reply(b"230 in\\r\\n")
        control.on(re.compile(b"^TYPE")).reply(b"200 ok\\r\\n")
        control.on(b"PASV").reply(b"227 Passive (127,0,0,1,%d,%d)\\r\\n" % divmod(data.port - 1, 256))
        control.on(re.compile(b"^(EPSV|RETR)")).reply(b"500 no\\r\\n").optional()
        client = ftplib.FTP(timeout=5)
        client.connect(*control.address)
        client.login()
        client.retrbinary("RETR x", lambda data: None)

    @HTTP
    def test_xmlrpc_is_cut_by_its_length(tcp_server):
        body = xmlrpc.client.dumps(("Grüße",), methodresponse=True)
        head = f"HTTP/1.1 200 OK\\r\\nContent-Type: text/xml\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
        tcp_server.reply(f"{head}{body}".encode(), end="close")
        assert xmlrpc.client.ServerProxy(url(tcp_server)).greet() == "Grüße"
    """

CAUSES = {
    "test_content_length_too_small": "tcp_server #0: in the reply, Content-Length says 17 B, 19 were sent",
    "test_content_length_too_large": "tcp_server #0: in the reply, Content-Length says 10 B, 5 were sent",
    "test_content_length_too_large_and_open": "tcp_server #0: in the reply, Content-Length says 10 B, 5 were sent",
    "test_chunked_body_without_its_end": (
        "tcp_server #0: in the reply, all chunks but the last one (b'0\\r\\n\\r\\n') were sent"
    ),
    "test_chunk_of_the_wrong_size": (
        "tcp_server #0: in the reply, a chunk says 16 B (b'10' is hexadecimal), 10 were sent"
    ),
    "test_clients_content_length_too_large": "tcp_server #0: in the request, Content-Length says 50 B, 5 came",
    "test_reuse_of_a_closed_http_connection": (
        "tcp_server #0: the server closed the connection after 1 reply, 38 B, before the client was done with "
        "it: connect again for each request"
    ),
    "test_redis_says_more_than_ping": (
        "tcp_server #0: the client sent b'*2\\r\\n$5\\r\\nHELLO\\r\\n$1\\r\\n3\\r\\n', which no rule answers"
    ),
    "test_redis_wrong_length": "tcp_server #0: the reply says that 10 B follow (b'$10\\r\\n'), 5 were sent",
    "test_smtp_refuses": (
        "the tcp_server had an error too: UnexpectedMessage: received b'RCPT TO:<b@example.com>\\r\\n', which "
        "no rule or reply answers:"
    ),
    "test_smtp_multiline_reply_without_its_last_line": (
        "tcp_server #0: the last line sent, b'250-SIZE\\r\\n', has b'-' after its code: so the client waits "
        "for another line"
    ),
    "test_ftp_data_connection_to_a_wrong_port": (
        "no client connected to data, which is at 127.0.0.1:PORT; the client tried 127.0.0.1:PORT"
    ),
    "test_xmlrpc_is_cut_by_its_length": "tcp_server #0: in the reply, Content-Length says 131 B, 133 were sent",
}


def test_the_cause_is_named(name_causes: NameCauses) -> None:
    assert name_causes(DEFECTS, CAUSES) == CAUSES
