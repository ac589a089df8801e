"""All findings over one failed test: which are the most probable, and at most three of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from windsock.findings import (
    alike,
    byte_order,
    closed_before,
    handler_stands,
    incomplete,
    left_early,
    lost_by_fault,
    near_match,
    no_client,
    no_return,
    one_at_a_time,
    partial_read,
    tls_certificate,
    tls_options_apart,
    tls_plaintext,
    tls_truncated,
    unanswered,
    waiting,
)
from windsock.findings.facts import Case, Finding, ServerFacts
from windsock.findings.failure import failure_from
from windsock.findings.gathering import Handlers, handlers_of, server_from
from windsock.redaction import line

__all__ = ["case_from", "findings_for", "findings_in"]

MOST = 3
"""Sentences that are shown."""

Find: TypeAlias = Callable[[Case], Iterator[Finding]]

ALL: tuple[Find, ...] = (
    alike.find,
    byte_order.find,
    closed_before.find,
    handler_stands.find,
    incomplete.find,
    left_early.find,
    lost_by_fault.find,
    near_match.find,
    no_return.find,
    no_client.find,
    one_at_a_time.find,
    partial_read.find,
    tls_certificate.find,
    tls_options_apart.find,
    tls_plaintext.find,
    tls_truncated.find,
    unanswered.find,
    waiting.find,
)


def findings_for(subjects: Iterable[Any], error: BaseException) -> list[str]:
    """Return at most three sentences about why a test has failed, the most probable cause first.

    `subjects` are the servers and proxies of the test, `error` is its exception. They are drained first, so that what
    clients have sent counts. What a finding raises is dropped.
    """
    return [line(each.sentence) for each in findings_in(case_from(subjects, error))]


def case_from(subjects: Iterable[Any], error: BaseException) -> Case:
    """Return the facts of a failed test, with the places where handlers stand before they are waited for."""
    subjects = list(subjects)
    failure = failure_from(error)
    handlers = [_handlers(each) for each in subjects]
    for each in reversed(subjects):  # the latest is in front of others
        with contextlib.suppress(Exception):
            each.drain()
    return Case(servers=tuple(_servers(zip(subjects, handlers, strict=True), failure.at)), failure=failure)


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
    shown: dict[tuple[object, ...], Finding] = {}
    for each in found:
        shown.setdefault(each.about, each)
    return list(shown.values())[:MOST]


def _all(case: Case) -> Iterator[Finding]:
    for find in ALL:
        with contextlib.suppress(Exception):  # a report without this one is better than no report
            yield from list(find(case))
