"""The contract of protocols: one of a test's own in fakes, requests, scripts, transcripts, faults and proxies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.numbered import Dictation, Numbered, NumberedLines, Same, Text
from tests.support.servers import on_every_kind, on_every_transport
from windsock import (
    FramingError,
    Script,
    ScriptMismatch,
    UsageError,
    faults,
    protocols,
    proxy,
    scripted_client,
    serving,
)
from windsock.protocols import DecodeError, Protocol

on_every_way = pytest.mark.parametrize("way", ["direct", "relayed", "proxied"])
STREAMS = ["tcp", "unix_stream"]


@on_every_way
@on_every_kind
def test_messages_are_values_wherever_bytes_are_taken(transport: str, concurrency: str, way: str) -> None:
    options: dict[str, Any] = {"transport": transport, "framing": NumberedLines}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(concurrency=concurrency, relay=way == "relayed", **options))
        server.on(Text("hello")).reply(Same("welcome"))
        server.on(Numbered(2, "bye")).reply(Numbered(2, "farewell"))
        subjects: list[Any] = [server]
        if way == "proxied":
            subjects.append(stack.enter_context(proxy(server.address, **options)))
        with scripted_client(subjects[-1].address, transport=transport) as client:
            client.send(Numbered(1, "hello")).expect(Text("welcome"))
            client.send(Numbered(2, "bye")).expect(Numbered(2, "farewell"))

        for subject in subjects:
            first, second = subject.requests.wait(2)
            assert (first.message, first.reply_message) == (Numbered(1, "hello"), Numbered(1, "welcome"))
            assert (second.message, second.reply_messages) == (Numbered(2, "bye"), [Numbered(2, "farewell")])
            said = [line.partition(" B ")[2] for line in subject.transcript() if " B " in line]
            assert said == ["hello (1)", "welcome (1)", "bye (2)", "farewell (2)"]


@on_every_transport
def test_a_malformed_message_is_kept_with_the_reason(transport: str) -> None:
    with serving(transport=transport, framing=NumberedLines()) as server:
        server.reply(b"7 what?\n")
        with server.connect() as client:
            client.send(b"7\n").expect(b"7 what?\n")

        request = server.requests.only()
        assert request.data == b"7\n"
        with pytest.raises(DecodeError, match="a line has an id, a space and a text"):
            _ = request.message
        assert any("no numbered message (a line has an id" in line for line in server.transcript())


def test_bytes_that_begin_no_message_are_an_error_and_kept() -> None:
    with serving(framing=NumberedLines(), strict=False) as server:
        with server.connect() as client:
            client.send(b"hello\n")
        server.drain()

        with pytest.raises(FramingError, match="a line begins with its id"):
            _ = server.requests[0]
        assert server.connections[0].upstream == b"hello\n"


class Broken(Protocol):
    def __init__(self, size: Callable[[bytes], Any], decode: Callable[[bytes], Any] = bytes) -> None:
        vars(self).update(size=size, decode=decode)


@pytest.mark.parametrize("size", [0, -3, True, "3"])
def test_a_codec_that_makes_no_progress_is_named(size: Any) -> None:
    with serving(framing=Broken(lambda data: size), strict=False) as server:
        with server.connect() as client:
            client.send(b"hello\n")
        server.drain()

        with pytest.raises(FramingError, match=rf"Broken\(\): size\(\) returned {size!r}; expected None, or a size"):
            server.requests.wait(1)


def test_a_codec_that_fails_in_another_way_is_named() -> None:
    with serving(framing=Broken(len, lambda data: data[99]), strict=False) as server:
        with server.connect() as client:
            client.send(b"hello\n")

            request = server.requests.wait(1)[0]
        with pytest.raises(FramingError, match=r"Broken\(\): decode\(\) raised IndexError: index out of range"):
            _ = request.message
        assert request.data == b"hello\n"
        assert any("no Broken message (b'hello\\n' does not start" in line for line in server.transcript())


def test_replies_to_messages_sent_at_once_are_told_apart_by_their_ids() -> None:
    with serving(framing=NumberedLines()) as server, proxy(server.address, framing=NumberedLines()) as between:
        server.on(Text("a")).reply(Same("A"))
        server.on(Text("b")).reply(Same("B"))
        with scripted_client(between.address) as client:
            client.send(b"1 a\n2 b\n").expect(b"1 A\n2 B\n")

        assert [each.reply_message for each in between.requests.wait(2)] == [Numbered(1, "A"), Numbered(2, "B")]


def test_a_request_without_a_reply_has_none() -> None:
    with serving(framing=NumberedLines()) as server:
        server.on(Text("a")).reply_with(lambda message: None)
        with server.connect() as client:
            client.send(Numbered(1, "a"))

            request = server.requests.wait(1)[0]
        assert (request.reply_message, request.reply_messages) == (None, [])


def test_a_near_miss_and_a_rule_are_in_the_words_of_the_protocol() -> None:
    with serving(framing=NumberedLines(), strict=False) as server:
        server.on(Text("a")).reply(Same("A")).then(Numbered(1, "B")).optional()
        server.on(protocols.message(NumberedLines, text="b")).reply(Numbered(1, "C")).optional()
        with server.connect() as client:
            client.send(Numbered(1, "c"))
        server.drain()

        error = str(server.errors[0])
        assert "on(Text(text='a')): it is c (1)" in error
        assert "on(protocols.message(NumberedLines(), text='b')): it is c (1); text is 'c', expected 'b'" in error
        rule = server.on(Text("a")).reply(Same("A")).then(Numbered(1, "B")).optional()
        code = "on(Text(text='a')).reply(Same(text='A')).then(Numbered(id=1, text='B')).optional()"
        assert repr(rule) == code


@pytest.mark.parametrize("transport", STREAMS)
def test_expect_takes_one_message_of_a_stream(transport: str) -> None:
    with serving(transport=transport) as server:
        server.play(Script().expect(b"?").send(b"1 a\n2 b\n3 ", pieces=[1, 4]).expect(b"!").send(b"c\n"))
        with server.connect() as client:
            client.send(b"?").expect(Text("a")).expect(Text("b")).send(b"!").expect(Text("c"))


def test_a_script_shows_what_came_in_the_words_of_the_protocol() -> None:
    with serving(strict=False) as server, server.connect() as client:
        server.on(b"?").reply(b"1 b\n")
        client.send(b"?")

        with pytest.raises(ScriptMismatch, match=r"expect\(Text\(text='a'\)\): the message differs: it is b \(1\)"):
            client.expect(Text("a"))


def test_a_script_that_expects_a_message_shows_why_bytes_begin_none() -> None:
    with serving() as server, server.connect() as client:
        server.on(b"?").reply(b"what")
        client.send(b"?")

        with pytest.raises(ScriptMismatch, match="a line begins with its id"):
            client.expect(Text("a"))


@pytest.mark.parametrize(("side", "steps"), [("client", ("send", "expect")), ("server", ("expect", "send"))])
@on_every_transport
def test_a_recorded_connection_is_a_script_of_messages(transport: str, side: str, steps: tuple[str, str]) -> None:
    with serving(transport=transport, framing=NumberedLines()) as server:
        server.on(Text("a")).reply(Same("A"))
        with server.connect() as client:
            client.send(Numbered(1, "a")).expect(Numbered(1, "A"))
        server.drain()

        script = server.connections[0].as_script(side)
        assert f".{steps[0]}(Numbered(id=1, text='a')).{steps[1]}(Numbered(id=1, text='A'))" in on_one_line(script)
        assert Script(*script.steps[:2]) == eval_of(repr(Script(*script.steps[:2])))


def on_one_line(script: Script) -> str:
    return repr(script).replace("\n    ", "")


def eval_of(code: str) -> Any:
    return eval(code, {"Script": Script, "Numbered": Numbered})


def test_a_message_that_is_not_whole_is_bytes_in_a_script() -> None:
    with serving(framing=NumberedLines()) as server:
        server.on(Text("a")).reply(b"1 A\n2 b", end="close")
        with server.connect() as client:
            client.send(b"1 a\n").expect(b"1 A\n2 b").expect_eof()
        server.drain()

        script = server.connections[0].as_script()
        assert ".expect(Numbered(id=1, text='A')).expect(b'2 b')" in on_one_line(script)


# --- faults


def drop(item: Any, context: Any) -> None:
    return None


@pytest.mark.parametrize("pieces", [None, 9, [5, 1]])
def test_a_fault_sees_messages_whatever_pieces_they_come_in(pieces: Any) -> None:
    with serving(framing=NumberedLines()) as server:
        fault = server.fault(drop, direction="downstream", match=Text("b"), nth=2)
        server.on(Text("?")).reply(b"1 a\n1 b\n2 b\n3 b\n", pieces=pieces, every=0.001 if pieces else 0.0)
        with server.connect() as client:
            client.send(b"0 ?\n").expect(b"1 a\n1 b\n3 b\n")
        assert fault.fired == 1


def test_a_fault_cuts_a_connection_at_a_message_boundary() -> None:
    with serving(framing=NumberedLines()) as server:
        server.fault(faults.HalfClose(), direction="downstream", match=Text("b"))
        server.on(Text("?")).reply(b"1 a\n1 b\n")
        with server.connect() as client:
            client.send(b"0 ?\n").expect(b"1 a\n").expect_eof()


def test_what_is_left_of_a_message_passes_a_fault_at_the_end() -> None:
    with serving(framing=NumberedLines()) as server:
        server.fault(drop, direction="downstream", match=Text("b"), allow_unfired=True)
        server.on(Text("?")).reply(b"1 a\n1 b", end="close")
        with server.connect() as client:
            client.send(b"0 ?\n").expect(b"1 a\n1 b").expect_eof()


def test_what_is_left_of_a_message_passes_when_a_fault_is_healed() -> None:
    with serving(framing=NumberedLines()) as server:
        fault = server.fault(drop, direction="downstream", match=Text("b"), allow_unfired=True)
        server.on(Text("?")).reply(b"1 a\n1 b")
        with server.connect() as client:
            client.send(b"0 ?\n").expect(b"1 a\n").expect_silence(0.05)
            fault.heal()
            client.expect(b"1 b")


def test_bytes_that_are_no_message_pass_a_fault() -> None:
    with serving(framing=NumberedLines()) as server:
        server.fault(drop, direction="downstream", match=Text("b"), allow_unfired=True)
        server.on(Text("?")).reply(b"1 a\nx1 b\n1 b\n")
        with server.connect() as client:
            client.send(b"0 ?\n").expect(b"1 a\nx1 b\n1 b\n")


def test_a_pattern_for_replies_does_not_match_what_clients_send() -> None:
    with serving(framing=NumberedLines()) as server:
        server.fault(drop, match=protocols.reply(NumberedLines, text="a"))
        server.on(Text("a")).reply(b"1 a\n1 b\n")
        with server.connect() as client:
            client.send(b"1 a\n").expect(b"1 b\n")


# --- sizes that depend on what has passed


@on_every_way
def test_messages_may_depend_on_those_before_and_on_replies(way: str) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(framing=Dictation(), relay=way == "relayed"))
        subject: Any = server
        if way == "proxied":
            subject = stack.enter_context(proxy(server.address, framing=Dictation()))
        server.on(b"dictate\n").reply(b"go\n").then(b"no\n")
        server.on(b"one\ntwo\n.\n").reply(b"thanks\n")
        server.on(b"one\n").reply(b"what?\n")
        with scripted_client(subject.address) as client:
            client.send(b"dictate\n").expect(b"go\n").send(b"one\ntwo\n.\n").expect(b"thanks\n")
            client.send(b"dictate\n").expect(b"no\n").send(b"one\n").expect(b"what?\n")

        sent = [each.data for each in subject.requests.wait(4)]
        assert sent == [b"dictate\n", b"one\ntwo\n.\n", b"dictate\n", b"one\n"]
        assert [each.reply_message for each in subject.requests] == [b"go\n", b"thanks\n", b"no\n", b"what?\n"]
        assert sum("> " in line and " B " in line for line in subject.transcript()) == 4


def test_a_reply_in_pieces_counts_as_a_reply() -> None:
    with serving(framing=Dictation()) as server:
        server.on(b"dictate\n").reply(b"go\n", pieces=3)
        server.on(b"one\ntwo\n.\n").reply(b"thanks\n")
        with server.connect() as client:
            client.send(b"dictate\n").expect(b"go\n").send(b"one\ntwo\n.\n").expect(b"thanks\n")


# --- bad input


def test_an_unknown_name_is_refused_with_the_names_that_are_close() -> None:
    with pytest.raises(UsageError, match=r"framing='rcp': did you mean 'rpc'\? known protocols are .*'rpc'"):
        serving(framing="rcp")


def test_a_library_that_is_not_installed_is_named_with_its_extra() -> None:
    with pytest.raises(UsageError, match=r"there_is_no_such is not installed: pip install pytest-windsock\[dns\]"):
        protocols.library("there_is_no_such", "dns")


def test_an_entry_point_brings_a_protocol_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    point = metadata.EntryPoint("numbered", "tests.support.numbered:NumberedLines", "windsock.protocols")
    wrong = metadata.EntryPoint("wrong", "tests.support.numbered:Numbered", "windsock.protocols")
    points = metadata.EntryPoints([point, wrong])
    monkeypatch.setattr(metadata, "entry_points", points.select)
    with serving(framing="numbered") as server, server.connect() as client:
        server.on(Text("a")).reply(Same("A"))
        client.send(b"1 a\n").expect(b"1 A\n")
    with pytest.raises(UsageError, match=r"'tests.support.numbered:Numbered' of windsock.protocols: .* is no protocol"):
        serving(framing="wrong")


def test_a_server_without_a_protocol_has_no_messages() -> None:
    with serving(framing="lines") as server, server.connect() as client:
        client.send(b"hello\n")

        request = server.requests.wait(1)[0]
        with pytest.raises(UsageError, match="message: the server has no protocol"):
            _ = request.message


def test_a_path_is_no_message() -> None:
    from pathlib import Path

    with serving(framing="lines") as server, pytest.raises(UsageError, match="expected bytes"):
        server.reply(Path("x"))
