"""All findings over one failed test: which are the most probable, and at most three of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

from windsock.errors import UsageError
from windsock.findings import (
    alike,
    altered_by_fault,
    byte_order,
    child_died,
    closed_before,
    dot_stuffing,
    ended_within,
    handler_stands,
    http_length,
    incomplete,
    late_reply,
    left_early,
    lost_by_fault,
    near_match,
    no_client,
    no_return,
    no_rule,
    not_reused,
    one_at_a_time,
    other_reply,
    partial_read,
    places,
    read_once,
    reply_order,
    same_request,
    sent_again,
    sent_late,
    still_open,
    threads,
    tls_certificate,
    tls_options_apart,
    tls_plaintext,
    tls_truncated,
    turned_away,
    unanswered,
    unfinished_reply,
    waiting,
    was_down,
)
from windsock.findings.downs import ProgramFacts, program_from
from windsock.findings.facts import Case, FailureFacts, Finding, ServerFacts, SourceLine
from windsock.findings.failure import failure_from
from windsock.findings.gathering import Handlers, handlers_of, server_from
from windsock.redaction import line

__all__ = ["case_from", "findings_for", "findings_in"]

MOST = 3
"""Sentences that are shown."""

Find: TypeAlias = Callable[[Case], Iterator[Finding]]

ALL: tuple[Find, ...] = (
    alike.find,
    altered_by_fault.find,
    byte_order.find,
    child_died.find,
    closed_before.find,
    dot_stuffing.find,
    ended_within.find,
    handler_stands.find,
    http_length.find,
    incomplete.find,
    late_reply.find,
    left_early.find,
    lost_by_fault.find,
    near_match.find,
    no_client.find,
    no_return.find,
    no_rule.find,
    not_reused.find,
    one_at_a_time.find,
    other_reply.find,
    partial_read.find,
    read_once.find,
    reply_order.find,
    same_request.find,
    sent_again.find,
    sent_late.find,
    still_open.find,
    threads.find,
    tls_certificate.find,
    tls_options_apart.find,
    tls_plaintext.find,
    tls_truncated.find,
    turned_away.find,
    unanswered.find,
    unfinished_reply.find,
    waiting.find,
    was_down.find,
)


def findings_for(
    subjects: Iterable[Any],
    error: BaseException,
    *,
    since: float = 0.0,
    programs: Iterable[Any] = (),
    without_threads: Container[int] = (),
) -> list[str]:
    """Return at most three sentences about why a test has failed, the most probable cause first.

    `subjects` are the servers and proxies of the test, `programs` its real programs, `error` is its exception. Servers
    and proxies are drained first, so that what clients have sent counts. What a finding raises is dropped. Connections
    count that something happened on `since` then, in monotonic seconds. Threads are left out by their identifiers. A
    wrong call of windsock's functions (UsageError) has no other cause.
    """
    if isinstance(error, UsageError):
        return []
    return [line(each.sentence) for each in findings_in(case_from(subjects, error, since, programs, without_threads))]


def case_from(
    subjects: Iterable[Any],
    error: BaseException,
    since: float = 0.0,
    programs: Iterable[Any] = (),
    without_threads: Container[int] = (),
) -> Case:
    """Return the facts of a failed test, with the places where handlers stand before they are waited for."""
    subjects = list(subjects)
    failure = failure_from(error)
    handlers, others = [_handlers(each) for each in subjects], _threads(failure, without_threads)
    for each in reversed(subjects):  # the latest is in front of others
        with contextlib.suppress(Exception):
            each.drain()
    servers = tuple(_servers(zip(subjects, handlers, strict=True), failure.at))
    if since:
        servers = tuple(_of_part(servers, since))
    return Case(servers=servers, programs=tuple(_programs(programs, since)), failure=failure, threads=others)


def _of_part(servers: Iterable[ServerFacts], since: float) -> Iterator[ServerFacts]:
    """Give the servers with what has happened since then; not those that nothing has happened on but before."""
    for each in servers:
        connections = tuple(one for one in each.connections if one.was_active_since(since))
        if connections or not each.connections:
            firings = tuple(one for one in each.firings if one.at >= since)
            yield replace(each, connections=connections, firings=firings)


def _programs(programs: Iterable[Any], since: float) -> Iterator[ProgramFacts]:
    for each in programs:
        with contextlib.suppress(Exception):  # such as one without an address
            facts = program_from(each)
            yield replace(facts, downs=tuple(down for down in facts.downs if down.ended is None or down.ended >= since))


def _threads(failure: FailureFacts, without: Container[int]) -> tuple[tuple[str, SourceLine], ...]:
    with contextlib.suppress(Exception):  # likewise: they go on meanwhile
        return tuple(places.places_of_threads(without)) if failure.is_about_thread else ()
    return ()


def _handlers(subject: Any) -> Handlers:
    with contextlib.suppress(Exception):  # the others say something all the same
        return handlers_of(subject)
    return {}


def _servers(subjects: Iterable[tuple[Any, Handlers]], failed_at: float) -> Iterator[ServerFacts]:
    for subject, handlers in subjects:
        with contextlib.suppress(Exception):  # such as a recording of which a part is lost
            yield server_from(subject, handlers, failed_at)


def findings_in(case: Case) -> list[Finding]:
    """Return the most probable findings, one about each connection."""
    found = sorted(_all(case), key=lambda each: -each.weight)
    explained = frozenset[object]().union(*(each.explains for each in found))
    shown: dict[tuple[object, ...], Finding] = {}
    for each in found:
        if each.explains or each.about[0] not in explained:
            shown.setdefault(each.about, each)
    return list(shown.values())[:MOST]


def _all(case: Case) -> Iterator[Finding]:
    for find in ALL:
        with contextlib.suppress(Exception):  # a report without this one is better than no report
            yield from list(find(case))
