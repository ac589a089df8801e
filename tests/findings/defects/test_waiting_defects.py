"""Defects that end in a wait: of the client, of the handler, or of both."""

from __future__ import annotations

DEFECTS = """
    import asyncio, concurrent.futures, smtplib

    class Shout(StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.upper())

    @pytest.mark.windsock(handler=Shout)
    def test_no_line_end(tcp_server):
        with client_of(tcp_server, 0.5) as client:
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
    def test_no_half_close(tcp_server):
        with client_of(tcp_server, 0.5) as client:
            client.sendall(b"request")
            assert client.recv(100) == b"7"

    @pytest.mark.windsock(handler=ToTheEnd)
    def test_no_half_close_with_trio(tcp_server):
        async def main():
            stream = await trio.open_tcp_stream(*tcp_server.address)
            async with stream:
                await stream.send_all(b"request")
                with trio.fail_after(0.5):
                    return await stream.receive_some()

        assert trio.run(main) == b"7"

    LOCK = threading.Lock()

    class Locked(StreamRequestHandler):
        def handle(self):
            line = self.rfile.readline()
            with LOCK:
                self.wfile.write(line)

    @pytest.mark.windsock(handler=Locked)
    def test_the_handler_waits_for_a_lock(tcp_server):
        LOCK.acquire()
        try:
            with client_of(tcp_server, 0.5) as client:
                client.sendall(b"hello\\n")
                assert client.recv(100) == b"hello\\n"
        finally:
            LOCK.release()

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

        asyncio.run(main())
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
    def test_unix_client_sends_nothing(unix_stream_server):
        with client_of(unix_stream_server, 0.5) as client:
            assert client.recv(100) == b"HELLO\\n"
    """
