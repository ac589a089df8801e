"""Secrets in recorded conversations: none reaches the disk, and a replay takes any value in their place."""

from __future__ import annotations

import os
import re
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.cassettes.helpers import recorded, talk, without_times
from tests.support.waiting import DEADLINE, wait_until
from windsock.recording.store import memory

SECRET = b"correct-horse-battery"


def contents_on_disk(directory: Path) -> bytes:
    """Return all that this process has in files: those of a directory, and those that it has open without a name."""
    paths = [str(each) for each in directory.rglob("*") if each.is_file()]
    paths += [f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd")]
    found = []
    for path in paths:
        try:
            is_on_disk = stat.S_ISREG(os.stat(path).st_mode) and "memfd:" not in os.readlink(path)
        except OSError:
            is_on_disk = path.startswith(str(directory))
        if is_on_disk:
            found.append(Path(path).read_bytes())
    return b"".join(found)


@contextmanager
def unrecorded() -> Iterator[Any]:
    """A server for one client, which records nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client, client.makefile("rb") as lines:
                for _ in lines:
                    client.sendall(b"+OK\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()
        thread.join(DEADLINE)
        assert not thread.is_alive()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the open files of the process in /proc")
def test_no_secret_reaches_the_disk_while_it_is_recorded_nor_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MEMORY", "MEMORY_AFTERWARDS"):  # what a recording may take before it moves to a file
        monkeypatch.setattr(memory, name, 1000)
    message = b"PASS " + SECRET + b" " + b"x" * 60_000 + b"\n"
    seen = []
    with unrecorded() as address:
        with windsock.record(address, tmp_path / "a.txt", framing="lines", redact=SECRET) as real:
            with windsock.scripted_client(real.address) as client:
                for _ in range(4):
                    client.send(message).expect(b"+OK\n")
            seen.append(contents_on_disk(tmp_path))
        seen.append(contents_on_disk(tmp_path))

    assert b"PASS" in seen[1]
    assert [SECRET in each for each in seen] == [False, False]


def test_a_replay_takes_any_value_in_the_place_of_a_secret(tmp_path: Path) -> None:
    text = recorded(tmp_path / "a.txt", {b"PASS hunter2": b"+OK\n"}, talk((b"PASS hunter2\n", b"+OK\n")))

    assert r"1 > PASS \<redacted 7>\n" in without_times(text)
    for password in (b"hunter2", b"x", b"another password"):
        with windsock.replay(tmp_path / "a.txt") as server:
            talk((b"PASS " + password + b"\n", b"+OK\n"))(server.address)


def test_without_framing_a_secret_ends_where_the_next_recorded_byte_comes(tmp_path: Path) -> None:
    recorded(tmp_path / "a.txt", {b"PASS hunter2": b"+OK\n"}, talk((b"PASS hunter2\n", b"+OK\n")), framing=None)

    with windsock.replay(tmp_path / "a.txt") as server:
        talk((b"PASS another\n", b"+OK\n"))(server.address)


def test_a_secret_of_the_server_is_sent_as_a_mask_of_its_length(tmp_path: Path) -> None:
    reply = b"token=abcdef0123456789\n"
    text = recorded(tmp_path / "a.txt", {b"LOGIN": reply}, talk((b"LOGIN\n", reply)))

    assert r"1 < token=\<redacted 16>\n" in without_times(text)
    with windsock.replay(tmp_path / "a.txt") as server, windsock.scripted_client(server.address) as client:
        client.send(b"LOGIN\n").expect(re.compile(rb"token=.{16}\n"))


def test_what_redact_finds_is_masked_also_in_binary_data_and_across_messages(tmp_path: Path) -> None:
    rules = {b"\x00\x01\x02key\xff": b"\x00\n", b"AUTH LOGIN": b"+\n", b"dXNlcg==": b"+OK\n"}
    do = talk((b"\x00\x01\x02key\xff\n", b"\x00\n"), (b"AUTH LOGIN\n", b"+\n"), (b"dXNlcg==\n", b"+OK\n"))

    lines = without_times(recorded(tmp_path / "a.txt", rules, do, redact=b"key"))

    assert r"1 >x 000102\<redacted 3>ff0a" in lines
    assert r"1 > \<redacted 8>\n" in lines
    with windsock.replay(tmp_path / "a.txt") as server:
        do(server.address)


@pytest.mark.parametrize("sent", [b"QASS letmein99\n", b"PING\nPASS letmein99\n", b"PING, PASSWORD=letmein99\n"])
def test_failures_of_a_replay_show_no_secret(tmp_path: Path, sent: bytes) -> None:
    recorded(tmp_path / "a.txt", {b"PING": b"+OK\n"}, talk((b"PING\n", b"+OK\n")))
    server = windsock.replay(tmp_path / "a.txt", allow_unused=True, redact=b"QASS letmein99")
    with windsock.scripted_client(server.address) as client:
        client.send(sent)
        wait_until(lambda: server.errors)

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()

    assert "redacted" in str(caught.value.exceptions[0]) or "**" in str(caught.value.exceptions[0])
    assert "letmein99" not in str(caught.value.exceptions[0])
