"""PostgreSQL behind a proxy, and what psql says."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.programs.conftest import program, run, running
from windsock.faults import Delay, Reset
from windsock.protocols import postgresql

FAILED, NO_CONNECTION = 1, 2
"""Exit status of psql(1), with ON_ERROR_STOP a failing statement is 3."""


def who() -> int | None:
    """Return whom to run the server as: it refuses to be root."""
    if os.getuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    pytest.skip("there is nobody but root to run PostgreSQL as")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    initdb, user = program("initdb"), who()
    directory = Path(tempfile.mkdtemp(prefix="w-pg-", dir="/tmp"))
    try:
        if user is not None:
            os.chown(directory, user, -1)
        import subprocess

        options = ["-A", "trust", "-U", "tester", "--no-sync", "--no-locale", "-E", "UTF8"]
        made = subprocess.run(
            [initdb, "-D", str(directory / "data"), *options], capture_output=True, text=True, user=user, cwd=directory
        )
        assert made.returncode == 0, made.stderr
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def proxy(cluster: Path, nothing_is_left: None) -> Iterator[windsock.FaultProxy]:
    program("psql")
    settings = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "unix_socket_directories=", "-F"]
    command = [program("postgres"), "-D", str(cluster / "data"), "-p", "{port}", *settings]
    with running(command, cluster, user=who()) as port:
        wait_until_ready(port)
        with windsock.proxy(("127.0.0.1", port), framing="postgresql") as proxy:
            yield proxy


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 20
    while psql_at(port, "select 1")[0]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def psql_at(port: int, statement: str, **environment: str) -> tuple[int, str, str]:
    command = ["psql", "-X", "-A", "-t", "-h", "127.0.0.1", "-p", str(port), "-U", "tester", "-d", "postgres"]
    result = run(*command, "-c", statement, PGSSLMODE="disable", PGGSSENCMODE="disable", **environment)
    return result.returncode, result.stdout.strip(), result.stderr


def test_it_works_and_is_late(proxy: windsock.FaultProxy) -> None:
    with proxy.fault(Delay(0.05)):
        start = time.monotonic()
        status, answer, _ = psql_at(proxy.port, "select 6 * 7")
        assert time.monotonic() - start >= 0.2

    assert (status, answer) == (0, "42")
    assert b"select 6 * 7" in proxy.connections[0].upstream
    assert b"SELECT 1\x00" in proxy.connections[0].downstream


def test_a_reset_in_mid_reply(proxy: windsock.FaultProxy) -> None:
    with proxy.fault(Reset(after_bytes=20_000), direction="downstream") as fault:
        status, _, errors = psql_at(proxy.port, "select repeat('x', 100000)")

    assert status in (FAILED, NO_CONNECTION)
    assert (
        "could not receive data" in errors
        or "closed the connection" in errors
        or "connection to server was lost" in errors
    )
    assert fault.fired == 1


def test_a_cut_line(proxy: windsock.FaultProxy) -> None:
    with windsock.partition(proxy):
        status, _, errors = psql_at(proxy.port, "select 1", PGCONNECT_TIMEOUT="2")

    assert status == NO_CONNECTION
    assert "timeout expired" in errors
    assert psql_at(proxy.port, "select 1")[:2] == (0, "1")


def test_every_message_of_a_session_is_decoded(proxy: windsock.FaultProxy) -> None:
    psycopg = pytest.importorskip("psycopg")
    where = {"host": proxy.host, "port": proxy.port, "user": "tester", "dbname": "postgres", "gssencmode": "disable"}
    with psycopg.connect(**where) as connection:
        connection.execute("CREATE TABLE people (id int, name text)")
        with connection.cursor() as cursor, cursor.copy("COPY people FROM STDIN") as copy:
            copy.write_row((1, "x"))
        for number in range(7):  # from the sixth on it is prepared by a name
            connection.execute("INSERT INTO people VALUES (%s, %s)", (number, None))
        found = connection.execute("SELECT * FROM people WHERE id = %s", (1,), binary=True)
        assert found.fetchall() == [(1, "x"), (1, None)]
        with connection.cursor() as cursor, cursor.copy("COPY people TO STDOUT") as copy:
            assert len(list(copy.rows())) == 8
        with connection.pipeline():
            connection.execute("NOTIFY news, 'now'")
            connection.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT 1 FROM nowhere")
        connection.rollback()
    proxy.stop()

    recorded = proxy.connections[0]
    sent = everything(recorded.upstream, is_reply=False)
    came = everything(recorded.downstream, is_reply=True)
    assert b"".join(map(bytes, sent)) == recorded.upstream
    assert b"".join(map(bytes, came)) == recorded.downstream
    assert {postgresql.SSLRequest, postgresql.ExtendedQuery, postgresql.CopyData} <= set(map(type, sent))
    assert {postgresql.EncryptionReply, postgresql.CopyInResponse, postgresql.CopyOutResponse} <= set(map(type, came))
    assert {postgresql.RowDescription, postgresql.DataRow, postgresql.NoticeResponse} <= set(map(type, came))
    assert not any(isinstance(each, postgresql.OtherMessage) for each in [*sent, *came])
    assert not any("no PostgreSQL message" in line for line in proxy.transcript())


def test_psql_gets_the_rows_of_a_fake() -> None:
    program("psql")
    with windsock.serving(framing="postgresql") as server:
        postgresql.session(server, {"select 6 * 7": postgresql.rows(["n"], [(42,)])})
        assert psql_at(server.port, "select 6 * 7") == (0, "42", "")


def everything(data: bytes, *, is_reply: bool) -> list[Any]:
    """Return all messages of one direction of a connection; every byte is in one of them."""
    protocol = postgresql.PROTOCOL.begin()
    found: list[Any] = []
    while data:
        size = protocol.size_of(data, is_reply=is_reply)
        assert size is not None
        found.append(protocol.decoded(data[:size], is_reply=is_reply))
        protocol.passed(data[:size], is_reply=is_reply)
        data = data[size:]
    return found
