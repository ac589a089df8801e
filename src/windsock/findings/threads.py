"""Finding: where the threads stand for which the test waited in vain."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, Finding

__all__ = ["find"]

MOST = 3


def find(case: Case) -> Iterator[Finding]:
    """Give a task of a thread pool that waits for another one, and the threads of the test that still run."""
    failure = case.failure
    if failure.waits_in_pool and failure.client is not None:
        where = f"a task of a thread pool waited at {failure.client.where} ({failure.client.source}) for another task"
        remedy = "if all workers of the pool do so, the other one never begins: give it a pool of its own"
        yield Finding(89, f"{where}: {remedy}", ("pool",))
    if failure.is_about_thread:
        for name, place in case.threads[:MOST]:
            sentence = f"thread {name!r} still runs: it stands at {place.where} ({place.source})"
            yield Finding(69, sentence, ("thread", name))
