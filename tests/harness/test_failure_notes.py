"""An exception that leaves the `with` of a server or a proxy says why, and what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import windsock
from windsock.harness import CONCURRENCIES
from windsock.recording.notes import FindingNote, TranscriptNote
from windsock.recording.subject import Subject

FINDING = "would match on(b'PING\\r\\n') but for the line end"


def notes_of(error: BaseException, kind: type[str] = str) -> list[str]:
    return [note for note in error.__notes__ if isinstance(note, kind)]


def fail_behind(stack: ExitStack, way: str, options: dict[str, Any]) -> None:
    """Ask a fake for what it nearly answers, directly or by another way, and fail as a client does."""
    server = stack.enter_context(windsock.serving(relay=way == "relayed", name="a server", **options))
    server.on(b"PING\r\n").reply(b"PONG\r\n")
    place: Subject = server
    if way == "proxied":
        place = stack.enter_context(windsock.proxy(server.address, transport=options["transport"], name="a proxy"))
    tls = server.client_context() if options["tls"] else False
    with windsock.scripted_client(place.address, transport=options["transport"], tls=tls, timeout=5) as client:
        client.send(b"PING\n")
        server.requests.wait()
        raise TimeoutError("no answer")


def ways() -> Iterator[Any]:
    for concurrency in CONCURRENCIES:
        for way in ("direct", "relayed", "proxied"):
            for transport, tls in (("tcp", False), ("tcp", True), ("udp", False)):
                name = f"{concurrency}-{transport}{'-tls' * tls}-{way}"
                if not (tls and way == "proxied"):  # what a proxy passes on of TLS is what it got
                    yield pytest.param(way, {"concurrency": concurrency, "transport": transport, "tls": tls}, id=name)


@pytest.mark.parametrize(("way", "options"), list(ways()))
def test_the_cause_and_the_transcripts_are_notes_on_it(way: str, options: dict[str, Any]) -> None:
    with pytest.raises(TimeoutError) as caught, ExitStack() as stack:
        fail_behind(stack, way, options)

    assert len(notes_of(caught.value, FindingNote)) == 1
    assert FINDING in notes_of(caught.value, FindingNote)[0]
    shown = notes_of(caught.value, TranscriptNote)
    assert [each.split(",")[0].split(" on ")[0] for each in shown] == (
        ["windsock: <a proxy", "windsock: a server"] if way == "proxied" else ["windsock: a server"]
    )
    assert all("> 5 B" in each for each in shown)


def test_what_a_server_raises_at_its_end_has_the_transcript() -> None:
    with pytest.raises(ExceptionGroup) as caught, windsock.serving() as server:
        server.on(b"PING\r\n").reply(b"PONG\r\n")

    assert len(notes_of(caught.value, TranscriptNote)) == 1


def test_an_exception_that_ends_the_program_has_no_transcript() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, windsock.serving(strict=False):
        raise KeyboardInterrupt

    assert getattr(caught.value, "__notes__", []) == []
