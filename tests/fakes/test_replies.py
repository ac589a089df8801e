"""Replies that depend on what came: functions of the match and the conversation, templates, files, generators."""

from __future__ import annotations

import io
import re
import socket
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.fakes.helpers import failures_of
from tests.support.processes import run_python
from tests.support.servers import STREAMS, ask, on_every_concurrency, on_every_datagram_kind, receive, wait_for_error
from windsock import Conversation, Repeat, Script, Template, UsageError
from windsock.harness import CONCURRENCIES

on_every_stream_and_tls = pytest.mark.parametrize(
    ("transport", "concurrency", "tls"), list(product(STREAMS, CONCURRENCIES, [None, True]))
)
GET = re.compile(rb"GET (?P<id>\w+)")
BIG = 3_000_000


def by_the_match(match: re.Match[bytes]) -> bytes:
    return b"<" + match["id"] + b">\n"


def by_the_conversation(conversation: Conversation) -> bytes:
    return b"%d %s\n" % (conversation.index or 0, b" ".join(conversation.groups.values()))


@on_every_stream_and_tls
def test_a_reply_is_made_of_the_match_or_of_the_conversation(transport: str, concurrency: str, tls: Any) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, tls=tls, framing="lines") as server:
        server.on(GET).reply(Template(b"+OK %(id)s 100%%\n"), times=1).then(by_the_match)
        server.on(re.compile(rb"USER (?P<user>\w+)")).reply_with(lambda message: None)
        server.on(b"WHO").reply_with(by_the_conversation)
        server.on(b"SCRIPT").reply_with(lambda message: Script().send(b"?\n").expect(b"!\n").send(bytes.upper))

        with server.connect() as client:
            client.send(b"GET a\n").expect(b"+OK a 100%\n").send(b"GET b\n").expect(b"<b>\n")
            client.send(b"USER ann\nWHO\n").expect(b"0 b ann\n")
            client.send(b"SCRIPT\n").expect(b"?\n").send(b"!\n").expect(b"!\n")


@on_every_concurrency
def test_a_connection_is_ended_though_there_is_no_reply(concurrency: str) -> None:
    with windsock.serving(transport="tcp", concurrency=concurrency, framing="lines") as server:
        server.on(b"BYE").reply_with(lambda message: None, end="close")

        with server.connect() as client:
            client.send(b"BYE\n").expect_eof()


@on_every_stream_and_tls
def test_a_reply_comes_from_a_file_a_generator_or_nowhere(
    transport: str, concurrency: str, tls: Any, tmp_path: Path
) -> None:
    path = tmp_path / "body"
    path.write_bytes(bytes(BIG))
    with (
        path.open("rb") as file,
        windsock.serving(transport=transport, concurrency=concurrency, tls=tls, framing="lines") as server,
    ):
        server.on(b"file").reply(file)
        server.on(b"repeat").reply(Repeat(b"ab", BIG // 2))
        server.on(b"list").reply([b"a", b"b", b"c\n"])
        server.on(b"generator").reply_with(lambda message: (bytes(BIG // 3) for _ in range(3)))

        with server.connect() as client:
            client.send(b"file\n").expect(bytes(BIG)).send(b"list\n").expect(b"abc\n")
        with server.connect() as client:
            client.send(b"file\n").expect(bytes(BIG))
            client.send(b"repeat\n").expect(b"ab" * (BIG // 2)).send(b"generator\n").expect(bytes(BIG))


@on_every_datagram_kind
def test_one_datagram_is_answered_by_several(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.on(GET).reply([b"1", b"2"])
        server.on(b"function").reply_with(lambda message: iter([message, b"3"]))
        server.on(re.compile(rb"SET (?P<id>\w+)")).reply(Template(b"+OK %(id)s"))
        with server.connect() as client:
            client.send(b"GET a").expect(b"1").expect(b"2")
            client.send(b"function").expect(b"function").expect(b"3")
            client.send(b"SET b").expect(b"+OK b")


@on_every_concurrency
def test_a_script_is_given_what_its_rule_has_matched(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server:
        server.on(GET).play(Script().send(by_the_match).expect(b"ok\n").send(Template(b"%(id)s\n")))

        assert ask(server, b"GET a\n", b"ok\n") == [b"<a>\n", b"a\n"]


@on_every_concurrency
def test_an_interim_reply_comes_before_the_body(concurrency: str) -> None:
    head = re.compile(rb"^PUT .*content-length: (?P<length>\d+)\r\n", re.DOTALL)
    interim = Script().send(b"HTTP/1.1 100 Continue\r\n\r\n").expect(length=lambda match: int(match["length"]))
    with windsock.serving(concurrency=concurrency, framing=b"\r\n\r\n") as server:
        server.on(head).play(interim.send(b"HTTP/1.1 201 Created\r\n\r\n"))

        with server.connect() as client:
            for size in (0, 3, BIG):
                client.send(b"PUT / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % size)
                client.expect(b"HTTP/1.1 100 Continue\r\n\r\n")
                if size:
                    client.send(bytes(size))
                client.expect(b"HTTP/1.1 201 Created\r\n\r\n")


def test_without_framing_a_rule_knows_the_addresses() -> None:
    with windsock.serving() as server:
        server.on(b"where").reply_with(lambda conversation: repr((conversation.peer, conversation.local)).encode())
        with socket.create_connection(server.address, timeout=5) as client:
            client.sendall(b"where")
            expected = repr((client.getsockname(), client.getpeername())).encode()

            assert receive(client, len(expected)) == expected


def test_a_queued_reply_is_a_file_too() -> None:
    with windsock.serving(framing="lines") as server:
        server.reply(io.BytesIO(b"one\n")).reply([b"t", b"wo\n"])

        with server.connect() as client:
            client.send(b"x\n").expect(b"one\n").send(b"x\n").expect(b"two\n")


def test_a_literal_reply_is_never_a_template() -> None:
    with windsock.serving(framing="lines") as server:
        server.on(GET).reply(b"%(id)s {id} \\g<id>\n")

        assert ask(server, b"GET a\n") == [b"%(id)s {id} \\g<id>\n"]


def fails(message: bytes) -> bytes:
    raise LookupError(message)


def yields_text() -> Iterator[Any]:
    yield b"a"
    yield "b"


WORDS = "expected bytes, several of them, a binary file, a Script, or None for no reply"


@pytest.mark.parametrize(
    ("tell", "words"),
    [
        (
            lambda rule: rule.reply_with(lambda message: "text"),
            f"on(b'x').reply_with(<lambda>), in reply to b'x\\n': the function returned 'text'; {WORDS}",
        ),
        (
            lambda rule: rule.reply_with(lambda message: 7),
            f"on(b'x').reply_with(<lambda>), in reply to b'x\\n': the function returned 7; {WORDS}",
        ),
        (
            lambda rule: rule.reply_with(lambda message: [b"a", "b"]),
            "on(b'x').reply_with(<lambda>), in reply to b'x\\n': item 2 of [b'a', 'b'] is 'b'; expected bytes; encode "
            "text first",
        ),
        (
            lambda rule: rule.reply_with(lambda message: [b"a"], pieces=2),
            "on(b'x').reply_with(<lambda>), in reply to b'x\\n': the function returned [b'a']; "
            "truncate=, pieces= and every= are for bytes; this is sent in parts of its own",
        ),
        (
            lambda rule: rule.reply_with(lambda message: Script().close(), delay=0.01),
            "on(b'x').reply_with(<lambda>): the function returned Script().close(); it says itself how it sends",
        ),
        (
            lambda rule: rule.reply(Template(b"%(id)s")),
            "on(b'x').reply(Template(b'%(id)s')), in reply to b'x\\n': "
            "no group 'id' has matched on this connection; known: none",
        ),
        (lambda rule: rule.reply_with(fails), "LookupError(b'x\\n')"),
        (
            lambda rule: rule.reply_with(lambda message: yields_text()),
            " is 'b'; expected bytes; encode text first",
        ),
    ],
)
@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_what_a_function_does_wrong_fails_the_test(concurrency: str, tell: Callable[[Any], object], words: str) -> None:
    server = windsock.serving(framing="lines", concurrency=concurrency)
    tell(server.on(b"x"))
    with server.connect() as client:
        client.send(b"x\n")
        wait_for_error(server)

    (failure,) = failures_of(server)

    assert words in failure or repr(server.errors[0]) == words


@on_every_concurrency
def test_what_a_function_raises_comes_with_its_rule_and_the_message(concurrency: str) -> None:
    with windsock.serving(framing="lines", concurrency=concurrency, strict=False) as server:
        server.on(b"x").reply_with(fails)
        with server.connect() as client:
            client.send(b"x\n")
            wait_for_error(server)

        note = "raised by the function of on(b'x').reply_with(fails), in reply to b'x\\n'"
        assert server.errors[0].__notes__[0] == note


@on_every_concurrency
def test_what_a_generator_does_wrong_names_its_rule_and_the_message(concurrency: str) -> None:
    def raises(message: bytes) -> Iterator[bytes]:
        yield b"a"
        raise LookupError(message)

    where = "on(b'x').reply_with({}), in reply to b'x\\n'"
    with windsock.serving(framing="lines", concurrency=concurrency, strict=False) as server:
        server.on(b"x", connections=0).reply_with(raises)
        server.on(b"x").reply_with(lambda message: yields_text())
        for _ in range(2):
            with server.connect() as client:
                client.send(b"x\n").expect(b"a").expect_end()
        server.drain()

        raised, text = server.errors
        assert raised.__notes__[0] == f"raised by the generator of {where.format('raises')}"
        assert str(text).startswith(f"{where.format('<lambda>')}: item 2 of <generator object yields_text")


def test_the_parameter_match_of_a_rule_for_bytes_is_explained() -> None:
    with windsock.serving(framing="lines", strict=False) as server:
        server.on(b"x").reply_with(lambda match: match["id"])
        with server.connect() as client:
            client.send(b"x\n")
            wait_for_error(server)

        assert server.errors[0].__notes__[1].startswith("its parameter 'match' is None")


def test_a_function_that_cannot_be_used_says_how_it_can() -> None:
    async def asynchronous(message: bytes) -> bytes:
        return message

    with windsock.serving(framing="lines", strict=False) as server:
        with pytest.raises(UsageError, match=r"reply_with\(asynchronous\): the function is async; expected one that"):
            server.on(b"x").reply_with(asynchronous)  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises(UsageError, match=r"expected bytes; a function is for reply_with\(function\)$"):
            server.on(b"y").reply(bytes.upper)  # type: ignore[arg-type]  # wrong on purpose


def test_a_report_of_the_client_names_the_rule_whose_function_has_raised() -> None:
    def ask_it() -> None:
        with windsock.serving(framing="lines") as server:
            server.on(b"x").reply_with(fails)
            with server.connect() as client:
                client.send(b"x\n").expect(b"y\n")

    with pytest.raises(windsock.ScriptMismatch) as caught:
        ask_it()

    assert "raised by the function of on(b'x').reply_with(fails)" in "".join(caught.value.__notes__)


def test_a_generator_answers_once() -> None:
    server = windsock.serving(framing="lines")
    server.on(b"x").reply(iter([b"a\n"]), end="half_close")
    for is_first in (True, False):
        with server.connect() as client:
            client.send(b"x\n")
            if is_first:
                client.expect(b"a\n").expect_eof()
            else:
                wait_for_error(server)

    (failure,) = failures_of(server)
    assert failure.endswith("it was sent before, and can be sent once; pass a function that returns a new one")


@on_every_datagram_kind
def test_a_datagram_is_not_answered_by_a_script_or_a_file(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    server.on(b"x").reply_with(lambda message: Script().send(b"y"))
    with server.connect() as client:
        client.send(b"x")
        wait_for_error(server)

    with pytest.raises(windsock.UsageError, match="a datagram has an end; send bytes, or several datagrams in a list"):
        server.on(b"y").reply(Repeat(b"x", 3))
    (failure,) = failures_of(server)
    assert failure.endswith("the function returned Script().send(b'y'); a datagram is not answered by a script")


@pytest.mark.parametrize(
    ("tell", "words"),
    [
        (lambda rule: rule.reply_with(lambda: b""), "it takes no arguments; expected a function of the message"),
        (lambda rule: rule.reply_with(lambda match, data: b""), "its parameter 'data' would get nothing"),
        (lambda rule: rule.reply(io.StringIO("x")), "a file of text has no bytes; open it in binary mode"),
        (lambda rule: rule.reply([]), "there is nothing in it; expected runs of bytes"),
        (lambda rule: rule.reply([b"a"], pieces=2), "truncate=, pieces= and every= are for bytes"),
        (lambda rule: rule.reply(Repeat(b"a", 2), truncate=1), "truncate=, pieces= and every= are for bytes"),
        (lambda rule: rule.reply(Script().send(b"x")), "a rule plays a script with play(script)"),
        (lambda rule: rule.reply("text"), "expected bytes; encode text first"),
    ],
)
def test_what_can_never_be_a_reply_is_refused_at_once(tell: Callable[[Any], object], words: str) -> None:
    with windsock.serving(framing="lines", allow_unused=True) as server:
        rule = server.on(b"x")
        with pytest.raises(windsock.UsageError, match=re.escape(words)):
            tell(rule)


MEMORY = """
import windsock
from windsock import Repeat, Script

SIZE = 1 << 27

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

with windsock.serving(framing="lines", timeout=60) as server:
    server.on(b"get").reply(Repeat(b"x", SIZE))
    server.on(b"put").play(Script().expect(SIZE).send(b"ok"))
    with server.connect(timeout=60) as client:
        before = peak()
        client.send(b"get\\n").expect(SIZE).send(b"put\\n").send(Repeat(b"y", SIZE)).expect(b"ok")
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read in /proc")
def test_a_body_larger_than_memory_goes_each_way() -> None:
    """Here 128 MiB: the memory does not grow with the size."""
    grown = int(run_python(MEMORY))

    assert grown < 96  # MiB; the recording keeps up to 32 in memory


@on_every_datagram_kind
def test_a_script_over_datagrams_is_given_what_it_took(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.play(
            Script().expect(GET).send(by_the_match).expect(b"more").send(lambda conversation: conversation.groups["id"])
        )
        with server.connect() as client:
            client.send(b"GET a").expect(b"<a>\n").send(b"more").expect(b"a")
