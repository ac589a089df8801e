"""The checks that are shipped: every combination passes them, and a class that breaks the rules does not."""

from __future__ import annotations

import gc
import socketserver
from typing import Any

import pytest

import windsock
from windsock import servers
from windsock.harness import CONCURRENCIES, TRANSPORTS
from windsock.testing import Check, CheckFailed, check_server, checks_for

CLASSES = [
    (windsock.combine(transport=transport, concurrency=concurrency), tls)
    for transport in TRANSPORTS
    for concurrency in CONCURRENCIES
    for tls in ((False, True) if transport in ("tcp", "unix_stream") else (False,))
]


@pytest.mark.parametrize(
    ("server_class", "tls", "check"),
    [
        pytest.param(each, tls, check, id=f"{'TLS' if tls else ''}{each.__name__}-{check.name.replace(' ', '_')}")
        for each, tls in CLASSES
        for check in checks_for(each)
    ],
)
def test_every_combination_does_what_it_must(server_class: type[Any], tls: bool, check: Check) -> None:
    check(server_class, tls=tls)


def test_one_line_checks_a_class_of_ones_own() -> None:
    class Mine(servers.ThreadingMixIn, servers.TCPServer):
        pass

    check_server(Mine)


def test_all_that_is_wrong_is_said_at_once() -> None:
    class Deaf(servers.ThreadingTCPServer):
        def shutdown_request(self, request: Any) -> None:
            super().shutdown_request(request)

        def verify_request(self, request: Any, client_address: Any) -> bool:
            return False

    with pytest.raises(ExceptionGroup, match="Deaf is not a server of this family") as caught:
        check_server(Deaf)

    failed = {error.check for error in caught.value.exceptions if isinstance(error, CheckFailed)}
    assert "a client may half close and still get its answer" in failed
    assert "the hooks are called in their order" in failed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_the_standard_librarys_class_fails_where_its_defects_are() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        check_server(socketserver.ThreadingTCPServer)

    names = [getattr(error, "check", None) for error in caught.value.exceptions]
    del caught
    gc.collect()  # it has left the request open, whose verify_request() failed
    assert names == ["a failing hook ends only its own request"]
