"""A handler that does something else than to wait for its client."""

from __future__ import annotations

import re

import pytest

from tests.findings.conftest import Conclude
from tests.findings.facts import connection, sentences
from windsock.findings.facts import FailureFacts, HandlerPlace, SourceLine

ASK = """
    def ask(server):
        with client_of(server) as client:
            client.sendall(b"PING\\n")
            server.requests.wait()
            client.settimeout(0.2)
            client.recv(100)
    """
"""A client that gives up 0.2 s after the handler has read its request, however late that was."""
STUCK = (
    ASK
    + """
    import trio.lowlevel

    released = threading.Event()

    class Stuck(StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            released.wait(5)

    class StuckTask(StreamRequestHandler):
        async def handle(self):
            await self.stream.receive_some(100)
            await trio.sleep(5)

    @pytest.fixture(autouse=True)
    def release():
        yield
        released.set()
    """
)


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_its_line_is_named(conclude: Conclude, concurrency: str) -> None:
    found = conclude(
        STUCK
        + f"""
    @pytest.mark.windsock(handler=Stuck, framing="lines", timeout=1)
    def test_it({concurrency}_tcp_server):
        ask({concurrency}_tcp_server)
    """
    )

    assert found["test_it"] == [
        f"{concurrency}_tcp_server #0: its handler stands at test_its_line_is_named.py:LINE (released.wait(5)), "
        "T s after the last byte"
    ]


def test_its_line_is_named_even_if_it_goes_on_before_the_report(conclude: Conclude) -> None:
    found = conclude(
        ASK
        + """
    class Slow(StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            time.sleep(0.5)

    @pytest.mark.windsock(handler=Slow, framing="lines")
    def test_it(tcp_server):
        ask(tcp_server)
    """
    )

    (sentence,) = found["test_it"]
    assert "its handler stands at " in sentence
    assert "(time.sleep(0.5))" in sentence


def test_a_task_of_trio_is_found_too(conclude: Conclude) -> None:
    found = conclude(
        STUCK
        + """
    @pytest.mark.windsock(handler=StuckTask, framing="lines", timeout=1)
    def test_it(trio_tcp_server):
        ask(trio_tcp_server)
    """
    )

    assert found["test_it"] == [
        "trio_tcp_server #0: its handler stands at test_a_task_of_trio_is_found_too.py:LINE (await trio.sleep(5)), "
        "T s after the last byte"
    ]


def test_handlers_that_wait_for_their_clients_or_whose_clients_have_all_are_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        STUCK
        + """
    @pytest.mark.windsock(handler=Stuck, framing="lines", timeout=1)
    def test_another_reason(tcp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"PING\\n")
            assert 1 == 2

    @pytest.mark.windsock(handler=Stuck, framing="lines", timeout=1)
    @pytest.mark.parametrize("concurrency", ["threading", "forking"])
    def test_waits(serve, concurrency):
        client = client_of(serve(concurrency=concurrency), 0.2)
        try:
            client.recv(100)
        finally:
            release_later.append(client)

    release_later = []

    @pytest.fixture(autouse=True, scope="module")
    def close():
        yield
        for each in release_later:
            each.close()
    """
    )

    assert found["test_another_reason"] == []
    for concurrency in ("threading", "forking"):
        assert [each for each in found[f"test_waits[{concurrency}]"] if "stands" in each] == []


def test_a_handler_that_reads_from_something_else_does_not_wait_for_its_client(conclude: Conclude) -> None:
    found = conclude(
        ASK
        + """
    database, answers = socket.socketpair()

    class Asks(StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            for _ in range(2):
                database.recv(100)

    @pytest.fixture(autouse=True)
    def answer():
        yield
        answers.close()
        database.close()

    @pytest.mark.windsock(handler=Asks, framing="lines", timeout=1)
    def test_it(tcp_server):
        ask(tcp_server)
    """
    )

    (sentence,) = found["test_it"]
    assert "its handler stands at " in sentence
    assert "(database.recv(100))" in sentence


def test_of_a_forked_child_that_does_not_answer_the_process_is_named(conclude: Conclude) -> None:
    found = conclude(
        ASK
        + """
    import os, signal

    class Stopped(StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            os.kill(os.getpid(), signal.SIGSTOP)

    @pytest.mark.windsock(handler=Stopped, framing="lines", timeout=1)
    def test_it(forking_tcp_server):
        ask(forking_tcp_server)
    """
    )

    (sentence,) = found["test_it"]
    words = r"forking_tcp_server #0: its handler, process \d+, has neither read nor sent anything for T s"
    assert re.fullmatch(words, sentence)


@pytest.mark.parametrize("process", [{}, {"pid": 17}], ids=["thread", "process"])
@pytest.mark.parametrize("place", [None, HandlerPlace(SourceLine("test_it.py:7", "work()"), is_waiting=False)])
def test_a_handler_whose_client_gave_up_as_the_bytes_came_is_not_blamed(
    process: dict[str, int], place: HandlerPlace | None
) -> None:
    just_now = FailureFacts(kinds=frozenset({"timeout"}), at=0.002)
    later = FailureFacts(kinds=frozenset({"timeout"}), at=2.0)
    late = connection("> PING", handler=place, **process)

    assert not any("its handler" in each for each in sentences(just_now, [late]))
    assert any("its handler" in each for each in sentences(later, [late])) == bool(place or process)
