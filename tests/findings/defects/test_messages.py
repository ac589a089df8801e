"""Defects in messages: what a client sends, or takes from a reply, is not what the other end means."""

from __future__ import annotations

from tests.findings.defects.conftest import NameCauses

DEFECTS = """
    import re, smtplib

    @pytest.mark.windsock(framing=LengthPrefix(4))
    def test_little_endian_length(tcp_server):
        tcp_server.reply(b"\\x00\\x00\\x00\\x02ok")
        with client_of(tcp_server, 0.5) as client:
            client.sendall(struct.pack("<I", 5) + b"hello")
            assert client.recv(100) == b"\\x00\\x00\\x00\\x02ok"

    @pytest.mark.windsock(framing=LengthPrefix(2))
    def test_length_with_its_prefix(tcp_server):
        tcp_server.reply(b"\\x00\\x02ok")
        with client_of(tcp_server, 0.5) as client:
            client.sendall(struct.pack(">H", 7) + b"hello")
            assert client.recv(100) == b"\\x00\\x02ok"

    @pytest.mark.windsock(framing=b"\\r\\n")
    def test_line_feed_alone(tcp_server):
        tcp_server.on(b"PING").reply(b"PONG\\r\\n")
        with client_of(tcp_server, 0.5) as client:
            client.sendall(b"PING\\n")
            assert client.recv(100) == b"PONG\\r\\n"

    def test_wrong_case(tcp_server):
        tcp_server.on(b"get key\\r\\n").reply(b"value\\r\\n")
        with client_of(tcp_server, 0.5) as client:
            client.sendall(b"GET key\\r\\n")
            assert client.recv(100) == b"value\\r\\n"

    def test_latin_1(tcp_server):
        tcp_server.on("Grüße\\n".encode()).reply(b"ok\\n")
        with client_of(tcp_server, 0.5) as client:
            client.sendall("Grüße\\n".encode("latin-1"))
            assert client.makefile("rb").readline() == b"ok\\n"

    @pytest.mark.windsock(framing="lines")
    def test_trailing_zero(tcp_server):
        tcp_server.on(b"HELLO").reply(b"HI\\n")
        with client_of(tcp_server) as client:
            client.sendall(b"HELLO\\0\\n")
            assert client.recv(100) == b"HI\\n"

    @pytest.mark.windsock(framing="lines")
    def test_no_rule(tcp_server):
        tcp_server.on(b"USER bob").reply(b"331 password\\r\\n")
        with client_of(tcp_server) as client:
            client.sendall(b"USER bob\\r\\n")
            assert client.recv(100).startswith(b"331")
            client.sendall(b"PASS secret\\r\\n")
            assert client.recv(100).startswith(b"230")

    @pytest.mark.windsock(framing="lines")
    def test_shadowed_rule(tcp_server):
        tcp_server.on(re.compile(b"^GET")).reply(b"none\\r\\n")
        tcp_server.on(b"GET color").reply(b"blue\\r\\n")
        with client_of(tcp_server) as client:
            client.sendall(b"GET color\\r\\n")
            assert client.recv(100) == b"blue\\r\\n"

    def test_one_recv(tcp_server):
        tcp_server.on(b"GET\\r\\n").reply(b"x" * 5000)
        with client_of(tcp_server) as client:
            client.sendall(b"GET\\r\\n")
            assert client.recv(1024) == b"x" * 5000

    def test_one_recv_by_length(tcp_server):
        tcp_server.on(b"GET\\r\\n").reply(b"x" * 5000)
        with client_of(tcp_server) as client:
            client.sendall(b"GET\\r\\n")
            body = client.recv(1024)
        assert len(body) == 5000

    def test_one_recv_by_json(tcp_server):
        import json
        tcp_server.on(b"GET\\r\\n").reply(json.dumps(list(range(1000))).encode())
        with client_of(tcp_server) as client:
            client.sendall(b"GET\\r\\n")
            assert json.loads(client.recv(1024))[-1] == 999

    def test_datagram_larger_than_the_buffer(udp_server):
        udp_server.on(b"GET").reply(b"0123456789" * 3)
        with datagrams_to(udp_server) as client:
            client.send(b"GET")
            assert client.recv(16) == b"0123456789" * 3

    class Sum(BaseRequestHandler):
        def handle(self):
            data = self.request.recv(1024)
            self.request.sendall(b"%d" % len(data))

    @pytest.mark.windsock(handler=Sum)
    def test_the_handler_calls_recv_once(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"x" * 3000)
            assert client.recv(100) == b"3000"

    class Lines(StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 ready\\r\\n")
            for line in self.rfile:
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go on\\r\\n")
                    for text in self.rfile:
                        if text == b".\\r\\n":
                            break
                    self.wfile.write(b"250 taken\\r\\n")
                elif line.upper().startswith(b"QUIT"):
                    self.wfile.write(b"221 bye\\r\\n")
                    return
                else:
                    self.wfile.write(b"500 what?\\r\\n")

    @pytest.mark.windsock(handler=Lines)
    def test_dot_stuffing(tcp_server):
        with client_of(tcp_server) as client, client.makefile("rb") as answers:
            answers.readline()
            client.sendall(b"DATA\\r\\n")
            answers.readline()
            client.sendall(b"Dear Bob,\\r\\n.\\r\\nYours, Ann\\r\\n.\\r\\n")
            assert answers.readline() == b"250 taken\\r\\n"
            client.sendall(b"QUIT\\r\\n")
            assert answers.readline() == b"221 bye\\r\\n"
    """

CAUSES = {
    "test_little_endian_length": (
        "tcp_server #0: the length prefix says N B, 5 came; read as little-endian it says 5: send it as "
        "big-endian, or pass framing=LengthPrefix(size=4, byteorder='little', includes_prefix=False)"
    ),
    "test_length_with_its_prefix": (
        "tcp_server #0: the length prefix says 7 B, 5 came; the client counts with the prefix itself: pass "
        "framing=LengthPrefix(size=2, byteorder='big', includes_prefix=True)"
    ),
    "test_line_feed_alone": "tcp_server #0: 5 B came without the delimiter b'\\r\\n': b'PING\\n'; it ends with b'\\n'",
    "test_wrong_case": (
        "tcp_server #0: b'GET key\\r\\n' would match on(b'get key\\r\\n') but for upper and lower case: a "
        "regular expression with re.IGNORECASE takes both"
    ),
    "test_latin_1": (
        "tcp_server #0: b'Gr\\xfc\\xdfe\\n' would match on(b'Gr\\xc3\\xbc\\xc3\\x9fe\\n') but for the "
        "encoding: it is Latin-1, the rule UTF-8"
    ),
    "test_trailing_zero": (
        "tcp_server #0: b'HELLO\\x00\\n' would match on(b'HELLO') but for b'\\x00' at its end, which the rule "
        "does not have"
    ),
    "test_no_rule": (
        "the tcp_server had an error too: UnexpectedMessage: received b'PASS ******\\r\\n', which no rule or "
        "reply answers:"
    ),
    "test_shadowed_rule": (
        "the tcp_server: on(b'GET color').reply(b'blue\\r\\n'): never matched; 1 message that it matches went "
        "to on(re.compile(b'^GET')), which stands before it; on(..., first=True) puts a rule before the others"
    ),
    "test_one_recv": (
        "tcp_server #0: the client took 1024 of the 5000 B of the reply, which were sent in 1 piece: one "
        "recv() returns what has arrived, so read on until the message is complete"
    ),
    "test_one_recv_by_length": (
        "tcp_server #0: the client took 1024 of the 5000 B of the reply, which were sent in 1 piece: one "
        "recv() returns what has arrived, so read on until the message is complete"
    ),
    "test_one_recv_by_json": (
        "tcp_server #0: the client left without reading all of the 4890 B that were sent to it last: one "
        "recv() returns what has arrived, so read on until the message is complete"
    ),
    "test_datagram_larger_than_the_buffer": (
        "udp_server #0: the client took 16 of the 30 B of the reply: a recv() with too small a buffer drops "
        "the rest of a datagram"
    ),
    "test_the_handler_calls_recv_once": (
        "tcp_server #0: the handler read 1024 B with one recv(), which was full, and no more: if the client "
        "sent more, read on until the message is complete"
    ),
    "test_dot_stuffing": (
        "tcp_server #0: a line with a dot alone ended the mail, and b'Yours, Ann\\r\\n.\\r\\nQUIT\\r\\n' was "
        "taken for commands: put another dot before each line that begins with one (RFC 5321, section 4.5.2)"
    ),
}


def test_the_cause_is_named(name_causes: NameCauses) -> None:
    assert name_causes(DEFECTS, CAUSES) == CAUSES
