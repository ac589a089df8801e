"""What a diversion replaces in the standard library, and for how long."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

import windsock

WAIT = 5.0
FUNCTIONS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo", "create_connection")


def replaced() -> tuple[list[Any], dict[str, Any]]:
    """Return what a diversion may replace, as it is now."""
    return [getattr(socket, each) for each in FUNCTIONS], dict(vars(socket.socket))


def reaches(name: str) -> Any:
    with socket.create_connection((name, 80), WAIT) as client:
        return client.getpeername()


def test_all_is_put_back(tcp_server: windsock.RunningServer) -> None:
    before = replaced()

    with windsock.divert({"api.example": tcp_server}):
        assert replaced() != before
        reaches("api.example")

    assert replaced() == before


def test_all_is_put_back_when_the_body_raises(tcp_server: windsock.RunningServer) -> None:
    before = replaced()

    with pytest.raises(ZeroDivisionError), windsock.divert({"api.example": tcp_server}):
        raise ZeroDivisionError

    assert replaced() == before


def test_nothing_is_replaced_by_a_diversion_that_is_not_entered(tcp_server: windsock.RunningServer) -> None:
    before = replaced()

    assert repr(windsock.divert({"api.example": tcp_server})) == (
        f"<diversion, not active: api.example -> 127.0.0.1:{tcp_server.port}>"
    )
    assert replaced() == before


def test_the_inner_one_comes_first(serve: Any) -> None:
    outer, inner = serve(), serve()
    before = replaced()

    with windsock.divert({"a.example": outer, "b.example": outer}):
        with windsock.divert({"a.example": inner}):
            assert reaches("a.example") == inner.address
            assert reaches("b.example") == outer.address
        assert reaches("a.example") == outer.address

    assert replaced() == before


def test_what_the_outer_one_refuses_is_refused_inside_another(serve: Any) -> None:
    server = serve()

    with windsock.divert({"a.example": server}, others="refuse") as outer, windsock.divert({"b.example": server}):
        assert reaches("a.example") == reaches("b.example") == server.address
        with pytest.raises(windsock.NotDiverted):
            reaches("c.example")
        assert [each.host for each in outer.take()] == ["c.example"]


def test_they_may_end_in_any_order(serve: Any) -> None:
    one, two = serve(), serve()
    before = replaced()
    first, second = windsock.divert({"a.example": one}), windsock.divert({"a.example": two})

    with contextlib.ExitStack() as stack:
        with first:
            stack.enter_context(second)
        assert reaches("a.example") == two.address

    assert replaced() == before


def test_one_can_be_used_again_but_not_within_itself(tcp_server: windsock.RunningServer) -> None:
    diversion = windsock.divert({"a.example": tcp_server})

    for _ in range(2):
        with diversion:
            assert reaches("a.example") == tcp_server.address
            with pytest.raises(windsock.UsageError, match="active already"):
                diversion.begin()


def test_threads_that_began_before_are_diverted(tcp_server: windsock.RunningServer) -> None:
    begin = threading.Event()
    found: list[Any] = []

    def ask() -> None:
        begin.wait(WAIT)
        found.append(reaches("a.example"))

    thread = threading.Thread(target=ask)
    thread.start()
    with windsock.divert({"a.example": tcp_server}):
        begin.set()
        thread.join(WAIT)

    assert found == [tcp_server.address]


def test_a_tool_that_replaced_a_function_meanwhile_keeps_it(
    tcp_server: windsock.RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def listening(*what: Any, **how: Any) -> Any:
        asked.append(what)
        return below(*what, **how)

    with windsock.divert({"a.example": tcp_server}):
        below = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", listening)
        assert reaches("a.example") == tcp_server.address
    assert socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)
    monkeypatch.undo()
    assert socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)

    assert len(asked) == 2


def test_an_address_that_was_kept_too_long_leads_nowhere(tcp_server: windsock.RunningServer) -> None:
    with windsock.divert({"a.example": tcp_server}):
        kept = socket.gethostbyname("a.example")

    with pytest.raises(OSError):
        socket.create_connection((kept, tcp_server.port), WAIT)


def test_nothing_of_it_is_imported_before_it_is_used() -> None:
    code = "import sys, windsock; print([each for each in sys.modules if each.startswith('windsock.diversions')])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout == "[]\n"
