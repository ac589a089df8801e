"""Defects that end in a wait: of the client, of the handler, or of both."""

from __future__ import annotations

from tests.findings.defects.conftest import NameCauses

DEFECTS = """
    import asyncio, concurrent.futures, smtplib

    class Shout(StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.upper())

    @pytest.fixture
    def client(tcp_server):
        with client_of(tcp_server, 0.5) as client:
            yield client

    @pytest.mark.windsock(handler=Shout)
    def test_no_line_end(client):
        client.sendall(b"hello")
        assert client.recv(100) == b"HELLO"

    @pytest.mark.timeout(2.5)
    @pytest.mark.windsock(handler=Shout)
    def test_no_timeout(tcp_server):
        with socket.create_connection(tcp_server.address) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"HELLO"

    @pytest.mark.windsock(handler=Shout)
    def test_read_to_the_end(tcp_server):
        with client_of(tcp_server, 0.5) as client, client.makefile("rb") as answer:
            client.sendall(b"hello\\n")
            assert answer.read() == b"HELLO\\n"

    @pytest.mark.windsock(handler=Shout)
    def test_read_to_the_end_with_asyncio(tcp_server):
        async def main():
            reader, writer = await asyncio.open_connection(*tcp_server.address)
            writer.write(b"hello\\n")
            return await asyncio.wait_for(reader.read(), 0.5)

        assert asyncio.run(main()) == b"HELLO\\n"

    @pytest.mark.windsock(framing="eof")
    def test_no_half_close_to_a_fake(tcp_server):
        tcp_server.reply(b"ok")
        with client_of(tcp_server, 0.5) as client:
            client.sendall(b"request")
            assert client.recv(100) == b"ok"

    class ToTheEnd(StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"%d" % len(self.rfile.read()))

    @pytest.mark.windsock(handler=ToTheEnd)
    def test_no_half_close(client):
        client.sendall(b"request")
        assert client.recv(100) == b"7"

    @pytest.mark.windsock(handler=ToTheEnd)
    def test_no_half_close_and_closed(tcp_server):
        with client_of(tcp_server, 0.5) as client:
            client.sendall(b"request\\n")
            assert client.recv(100) == b"8"

    @pytest.mark.windsock(handler=ToTheEnd)
    def test_no_half_close_with_trio(tcp_server):
        async def main():
            stream = await trio.open_tcp_stream(*tcp_server.address)
            async with stream:
                await stream.send_all(b"request\\n")
                with trio.fail_after(0.5):
                    return await stream.receive_some()

        assert trio.run(main) == b"8"

    LOCK = threading.Lock()

    class Locked(StreamRequestHandler):
        def handle(self):
            line = self.rfile.readline()
            with LOCK:
                self.wfile.write(line)

    @pytest.mark.windsock(handler=Locked)
    def test_the_handler_waits_for_a_lock(tcp_server, request):
        LOCK.acquire()
        request.addfinalizer(LOCK.release)
        with client_of(tcp_server, 0.5) as client:
            client.sendall(b"hello\\n")
            assert client.recv(100) == b"hello\\n"

    class Buffered(StreamRequestHandler):
        wbufsize = -1

        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.upper())

    @pytest.mark.windsock(handler=Buffered)
    def test_the_handler_forgets_flush(tcp_server):
        with client_of(tcp_server, 0.5) as client:
            client.sendall(b"hello\\n")
            assert client.recv(100) == b"HELLO\\n"

    @pytest.mark.windsock(handler=Shout)
    def test_the_client_forgets_flush(tcp_server):
        with client_of(tcp_server, 0.5) as client, client.makefile("rwb") as stream:
            stream.write(b"hello\\n")
            assert stream.readline() == b"HELLO\\n"

    @pytest.mark.windsock(handler=Shout)
    def test_the_client_forgets_await(tcp_server):
        async def send(writer):
            writer.write(b"hello\\n")
            await writer.drain()

        async def main():
            reader, writer = await asyncio.open_connection(*tcp_server.address)
            with warnings.catch_warnings(action="ignore"):
                send(writer)
            return await asyncio.wait_for(reader.readline(), 0.5)

        import warnings
        assert asyncio.run(main()) == b"HELLO\\n"

    @pytest.mark.windsock(framing="lines")
    def test_asyncio_client_ends_without_drain(tcp_server):
        tcp_server.reply(b"ok\\n")

        async def main():
            reader, writer = await asyncio.open_connection(*tcp_server.address)
            writer.write(b"x" * 15_000_000 + b"\\n")
            return writer

        writer = asyncio.run(main())
        assert len(tcp_server.requests.wait(1, timeout=0.5)[0].data) == 15_000_001

    def test_thread_pool(tcp_server):
        tcp_server.echo()

        def ask(question):
            with client_of(tcp_server) as client:
                client.sendall(question)
                return client.recv(100)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            def both():
                return ask(b"one"), pool.submit(ask, b"two").result(0.5)

            assert pool.submit(both).result() == (b"one", b"two")

    def test_a_thread_that_hangs(tcp_server):
        tcp_server.on(b"HELLO\\n").reply(b"hi\\n")
        answers = queue.Queue()

        def ask():
            with client_of(tcp_server, 1.5) as client, client.makefile("rb") as stream:
                client.sendall(b"HELLO\\n")
                stream.readline()
                with contextlib.suppress(TimeoutError):
                    answers.put(stream.readline())

        threading.Thread(target=ask, name="asking", daemon=True).start()
        assert answers.get(timeout=0.3) == b"hi\\n"

    def test_a_thread_that_lives_on(tcp_server):
        tcp_server.on(b"HELLO\\n").reply(b"hi\\n")

        def ask():
            with client_of(tcp_server, 1.5) as client, contextlib.suppress(TimeoutError):
                client.sendall(b"HELLO\\n")
                while client.recv(100):
                    pass

        thread = threading.Thread(target=ask, name="asking", daemon=True)
        thread.start()
        thread.join(0.3)
        assert not thread.is_alive()

    @pytest.mark.windsock(handler=Shout, concurrency="sync")
    def test_one_connection_at_a_time(tcp_server):
        with client_of(tcp_server, 0.5) as first, client_of(tcp_server, 0.5) as second:
            for client in first, second:
                client.sendall(b"hello\\n")
                assert client.recv(100) == b"HELLO\\n"

    @pytest.mark.windsock(framing="lines")
    def test_no_greeting(tcp_server):
        tcp_server.on(re.compile(b"(?i)^ehlo")).reply(b"250 hello\\r\\n")
        smtplib.SMTP(*tcp_server.address, timeout=0.5)

    @pytest.mark.windsock(handler=Shout)
    def test_timeout_shorter_than_a_delay(tcp_server):
        from windsock.faults import Delay
        tcp_server.fault(Delay(0.6), direction="downstream")
        with client_of(tcp_server, 0.2) as client:
            client.sendall(b"hello\\n")
            assert client.recv(100) == b"HELLO\\n"

    def test_timeout_shorter_than_the_delay_of_a_reply(tcp_server):
        tcp_server.on(b"hello\\n").reply(b"HELLO\\n", delay=0.6)
        with client_of(tcp_server, 0.2) as client:
            client.sendall(b"hello\\n")
            assert client.recv(100) == b"HELLO\\n"

    @pytest.mark.windsock(handler=Shout)
    def test_unix_client_sends_nothing(unix_stream_server, request):
        client = client_of(unix_stream_server, 0.5)
        request.addfinalizer(client.close)
        assert client.recv(100) == b"HELLO\\n"
    """

CAUSES = {
    "test_no_line_end": (
        "tcp_server #0: both ends waited for each other: the client at test_defects.py:LINE for a reply, the "
        "handler at test_defects.py:LINE (for line in self.rfile:) for more than the 5 B that had come"
    ),
    "test_no_timeout": (
        "tcp_server #0: both ends waited for each other: the client at test_defects.py:LINE for a reply, the "
        "handler at test_defects.py:LINE (for line in self.rfile:) for more than the 5 B that had come"
    ),
    "test_read_to_the_end": (
        "tcp_server #0: the client waited at test_defects.py:LINE for more than the 6 B that were sent, or for "
        "the end of the stream, and the server kept the connection open for another request"
    ),
    "test_read_to_the_end_with_asyncio": (
        "tcp_server #0: the client waited at test_defects.py:LINE for more than the 6 B that were sent, or for "
        "the end of the stream, and the server kept the connection open for another request"
    ),
    "test_no_half_close_to_a_fake": (
        "tcp_server #0: both ends waited for each other: the client at test_defects.py:LINE for the reply, the "
        "server for the end of the client's stream: half-close after the request, with shutdown(socket.SHUT_WR)"
    ),
    "test_no_half_close": (
        "tcp_server #0: both ends waited for each other: the client at test_defects.py:LINE for a reply, the "
        'handler at test_defects.py:LINE (self.wfile.write(b"%d" % len(self.rfile.read()))) for more than the 7 '
        "B that had come: half-close after the request, with shutdown(socket.SHUT_WR)"
    ),
    "test_no_half_close_and_closed": (
        "tcp_server #0: the handler replied only at the end of the client, for whose reply it had waited at "
        "test_defects.py:LINE: half-close after the request, with shutdown(socket.SHUT_WR)"
    ),
    "test_no_half_close_with_trio": (
        "tcp_server #0: the handler replied only at the end of the client, for whose reply it had waited at "
        "test_defects.py:LINE: half-close after the request, with shutdown(socket.SHUT_WR)"
    ),
    "test_the_handler_waits_for_a_lock": (
        "tcp_server #0: its handler stands at test_defects.py:LINE (with LOCK:), T s after the last byte"
    ),
    "test_the_handler_forgets_flush": (
        "tcp_server #0: the handler replied only at the end of the client, for whose reply it had waited at "
        "test_defects.py:LINE: its wfile is buffered (wbufsize), so flush() what it writes"
    ),
    "test_the_client_forgets_flush": (
        "tcp_server #0: the client sent b'hello\\n' only when it gave up, after T s of silence: flush() what is "
        "written to a file or stream"
    ),
    "test_the_client_forgets_await": (
        "tcp_server #0: neither end sent anything: the client waited at test_defects.py:LINE, the handler at "
        "test_defects.py:LINE for the client's first bytes"
    ),
    "test_asyncio_client_ends_without_drain": (
        "tcp_server #0: the client sent N B of a message that goes on, and nothing more for T s: it has to wait until "
        "all is sent, as with asyncio by drain() and wait_closed()"
    ),
    "test_thread_pool": (
        'a task of a thread pool waited at test_defects.py:LINE (return ask(b"one"), pool.submit(ask, '
        'b"two").result(0.5)) for another task: if all workers of the pool do so, the other one never begins: '
        "give it a pool of its own"
    ),
    "test_a_thread_that_hangs": (
        "thread 'asking' still runs: it stands at test_defects.py:LINE (answers.put(stream.readline()))"
    ),
    "test_a_thread_that_lives_on": (
        "thread 'asking' still runs: it stands at test_defects.py:LINE (while client.recv(100):)"
    ),
    "test_one_connection_at_a_time": (
        "tcp_server handles one connection at a time, and #0 was open for T s before #1 had its turn: a "
        "threading server does not keep it waiting"
    ),
    "test_no_greeting": (
        "tcp_server #0: neither end sent anything: the client waited at test_defects.py:LINE, the server for the "
        "client's first bytes: greet(...) has the fake speak first"
    ),
    "test_timeout_shorter_than_a_delay": (
        "tcp_server: Delay(0.6) took effect downstream (delayed 6 B by T s), and the client gave up T s after "
        "that: its timeout is shorter than the delay"
    ),
    "test_timeout_shorter_than_the_delay_of_a_reply": (
        "tcp_server #0: the reply came T s after the request, the client gave up after T s: give it a longer "
        "timeout, or let the server answer sooner"
    ),
    "test_unix_client_sends_nothing": (
        "unix_stream_server #0: neither end sent anything: the client waited at test_defects.py:LINE, the "
        "handler at test_defects.py:LINE for the client's first bytes"
    ),
}


def test_the_cause_is_named(name_causes: NameCauses) -> None:
    assert name_causes(DEFECTS, CAUSES) == CAUSES
