"""PostgreSQL: psycopg gets rows and errors from a fake, in both protocols, and meets bad weather."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from windsock import RunningServer
from windsock.faults import Delay, HalfClose
from windsock.protocols import postgresql

psycopg = pytest.importorskip("psycopg")
fake = pytest.mark.windsock(framing="postgresql")
PEOPLE = postgresql.rows(["id", "name"], [(1, "x"), (2, None)])
ANSWERS = {"SELECT id, name FROM people": PEOPLE, "SELECT 3": postgresql.rows(["n"], [(3,)])}


def client_of(server: RunningServer) -> Any:
    return psycopg.connect(host=server.host, port=server.port, user="me", autocommit=True)


@fake
def test_the_rows_of_a_query_come_back(tcp_server: RunningServer) -> None:
    postgresql.session(tcp_server, ANSWERS)

    with client_of(tcp_server) as connection:
        assert connection.execute("SELECT id, name FROM people").fetchall() == [(1, "x"), (2, None)]


@fake
def test_what_was_inserted_can_be_read(tcp_server: RunningServer) -> None:
    postgresql.session(tcp_server)
    statement = "INSERT INTO people VALUES (%s, %s)"
    tcp_server.on(postgresql.query("INSERT INTO people VALUES ($1, $2)")).reply(postgresql.command("INSERT 0 1"))

    with client_of(tcp_server) as connection:
        assert connection.execute(statement, (3, "z")).rowcount == 1

    (parameters,) = [each.message.parameters for each in tcp_server.requests if "INSERT" in str(each.message)]
    assert parameters == (3, "z")


@fake
def test_a_table_that_is_locked_is_an_error_of_the_client(tcp_server: RunningServer) -> None:
    postgresql.session(tcp_server, {"LOCK people": postgresql.error("55P03", "could not obtain lock")})

    with client_of(tcp_server) as connection, pytest.raises(psycopg.errors.LockNotAvailable):
        connection.execute("LOCK people")


# --- bad weather


@fake
def test_a_connection_that_ends_between_two_rows_is_an_error(tcp_server: RunningServer) -> None:
    postgresql.session(tcp_server, ANSWERS)
    tcp_server.fault(HalfClose(), direction="downstream", match=postgresql.reply(postgresql.DataRow), nth=2)

    with client_of(tcp_server) as connection, pytest.raises(psycopg.OperationalError, match="closed the connection"):
        connection.execute("SELECT id, name FROM people")


@fake
def test_a_row_that_comes_twice_is_there_twice(tcp_server: RunningServer) -> None:
    postgresql.session(tcp_server, ANSWERS)
    first = postgresql.reply(postgresql.DataRow((b"1", b"x")))
    tcp_server.fault(lambda item, context: item.data * 2, direction="downstream", match=first)

    with client_of(tcp_server) as connection:
        assert connection.execute("SELECT id, name FROM people").fetchall() == [(1, "x"), (1, "x"), (2, None)]


@fake
def test_a_reply_that_is_late_is_not_taken_for_that_of_the_next_query(tcp_server: RunningServer) -> None:
    postgresql.session(tcp_server, ANSWERS)
    tcp_server.fault(Delay(0.2), direction="downstream", match=postgresql.reply(postgresql.DataRow), nth=1)

    with contextlib.closing(client_of(tcp_server)) as connection:
        connection.pgconn.send_query(b"SELECT id, name FROM people")
        with pytest.raises(psycopg.OperationalError, match="another command is already in progress"):
            connection.execute("SELECT 3")
