"""Threads for which a test has waited in vain."""

from __future__ import annotations

from tests.findings.conftest import Conclude
from windsock.findings.conclusions import findings_in
from windsock.findings.facts import Case, FailureFacts, SourceLine

PLACE = SourceLine("test_it.py:7", "answer = client.recv(100)")


def test_threads_are_no_matter_if_the_test_did_not_wait_for_one() -> None:
    waited, did_not = FailureFacts(names=frozenset({"Empty"})), FailureFacts(names=frozenset({"KeyError"}))

    said = [findings_in(Case(servers=(), failure=each, threads=(("asking", PLACE),))) for each in (waited, did_not)]

    sentence = "thread 'asking' still runs: it stands at test_it.py:7 (answer = client.recv(100))"
    assert [[each.sentence for each in found] for found in said] == [[sentence], []]


def test_handlers_and_pools_that_are_at_rest_are_no_threads_of_the_test(conclude: Conclude) -> None:
    found = conclude(
        """
    import concurrent.futures

    class Echo(BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(100):
                self.request.sendall(data)

    @pytest.mark.windsock(handler=Echo)
    def test_it(tcp_server):
        pool = concurrent.futures.ThreadPoolExecutor(1)
        pool.submit(int).result()
        with client_of(tcp_server) as client:
            client.sendall(b"PING")
            client.recv(100)
            queue.Queue().get(timeout=0.05)

    def test_a_future_without_a_result(tcp_server):
        tcp_server.echo()
        with client_of(tcp_server) as client:
            client.sendall(b"PING")
            client.recv(100)
        with pytest.raises(TimeoutError):
            concurrent.futures.Future().result(0.05)
        concurrent.futures.Future().result(0.05)
    """
    )

    assert found == {"test_it": [], "test_a_future_without_a_result": []}
