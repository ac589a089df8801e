"""Fakes of PostgreSQL: the ready session and rules, with psycopg, and what tests read of it."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest

from windsock import RunningServer, UsageError, proxy, scripted_client, serving
from windsock.harness import CONCURRENCIES
from windsock.protocols import DecodeError, FramingError, postgresql

psycopg = pytest.importorskip("psycopg")

PEOPLE = postgresql.rows(["id", "name"], [(1, "x"), (2, None)])
ANSWERS: dict[Any, Any] = {
    "SELECT id, name FROM people": PEOPLE,
    re.compile(r"^SELECT id, name FROM people WHERE id = \$1"): PEOPLE,
    re.compile("^SELECT .* FROM nowhere"): postgresql.error("42P01", 'relation "nowhere" does not exist', hint="try"),
    re.compile("^INSERT"): postgresql.command("INSERT 0 1"),
}
BY_ID = "SELECT id, name FROM people WHERE id = %s"
FOUND = [(1, "x"), (2, None)]


def connected(server: RunningServer, **options: Any) -> Any:
    keywords: dict[str, Any] = {"user": "me", "connect_timeout": 20, "gssencmode": "disable", **options}
    return psycopg.connect(host=server.host, port=server.port, **keywords)


@pytest.mark.parametrize("concurrency", [each for each in CONCURRENCIES if each != "forking"])
def test_a_client_gets_the_rows_in_both_protocols(concurrency: str) -> None:
    with serving(framing="postgresql", concurrency=concurrency) as server:
        postgresql.session(server, ANSWERS)
        with connected(server) as connection:
            assert connection.execute("SELECT id, name FROM people").fetchall() == FOUND
            for number in range(7):  # from the sixth on it is prepared by a name
                assert connection.execute(BY_ID, (number,)).fetchall() == FOUND
            assert connection.execute(BY_ID, (7,), binary=True).fetchall() == FOUND
            assert connection.execute("INSERT INTO people VALUES (%s, %s)", (3, "z")).rowcount == 1
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS

        messages = [each.message for each in server.requests]
        assert [each.parameters for each in messages if getattr(each, "query", "").startswith("INSERT")] == [(3, "z")]
        assert messages[1].user == "me"
        assert postgresql.SimpleQuery("BEGIN") in messages
        assert postgresql.SimpleQuery("COMMIT") in messages


@pytest.mark.parametrize("way", ["relayed", "proxied"])
def test_requests_have_their_replies_on_every_way(way: str) -> None:
    with serving(framing="postgresql", relay=way == "relayed") as server, contextlib.ExitStack() as stack:
        postgresql.session(server, ANSWERS)
        subject: Any = server
        if way == "proxied":
            subject = stack.enter_context(proxy(server.address, framing="postgresql"))
        with connected(subject) as connection:
            assert connection.execute("SELECT id, name FROM people").fetchall() == FOUND
            assert connection.execute(BY_ID, (7,)).fetchall() == FOUND

        asked = [each for each in subject.requests if "people" in getattr(each.message, "query", "")]
        rows = [postgresql.DataRow((b"1", b"x")), postgresql.DataRow((b"2", None))]
        ends = [postgresql.CommandComplete("SELECT 2"), postgresql.ReadyForQuery("T")]
        assert [each.reply_messages[-4:] for each in asked] == [[*rows, *ends]] * 2
        assert subject.requests[0].reply_message == postgresql.EncryptionReply("N")


def test_a_pipeline_is_answered_in_order() -> None:
    with serving(framing="postgresql") as server:
        postgresql.session(server, ANSWERS)
        with connected(server) as connection, connection.pipeline():
            first, second = connection.execute(BY_ID, (1,)), connection.execute("INSERT INTO people VALUES (1)")
            assert (first.fetchall(), second.rowcount) == (FOUND, 1)


@pytest.mark.parametrize("parameters", [None, (1,)])
def test_an_error_has_its_code_and_ends_the_transaction(parameters: Any) -> None:
    statement = "SELECT 1 FROM nowhere" if parameters is None else "SELECT %s FROM nowhere"
    with serving(framing="postgresql") as server:
        postgresql.session(server, ANSWERS)
        with connected(server) as connection:
            with pytest.raises(psycopg.errors.UndefinedTable, match="does not exist") as caught:
                connection.execute(statement, parameters)
            assert caught.value.diag.message_hint == "try"
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
            connection.rollback()
            assert connection.execute("SELECT id, name FROM people").fetchall() == FOUND


@pytest.mark.parametrize("auth", ["password", "md5", "scram-sha-256"])
def test_a_password_is_asked_for(auth: str) -> None:
    with serving(framing="postgresql") as server:
        postgresql.session(server, ANSWERS, password="secret", auth=auth)
        with connected(server, password="secret") as connection:
            assert connection.execute("SELECT id, name FROM people").fetchall() == FOUND
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connected(server, password="guess")


@pytest.mark.parametrize("parameters", [None, (1,)])
def test_rules_of_the_test_answer_queries_too(parameters: Any) -> None:
    with serving(framing="postgresql") as server:
        postgresql.session(server)
        server.on(postgresql.query(re.compile("^SELECT id"))).reply(PEOPLE).then(postgresql.error("57014", "cancelled"))
        with connected(server, autocommit=True) as connection:
            assert connection.execute("SELECT id" if parameters is None else "SELECT id, %s", parameters).rowcount == 2
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("SELECT id")

        first = next(each for each in server.requests if getattr(each.message, "query", "").startswith("SELECT"))
        assert postgresql.CommandComplete("SELECT 2") in first.reply_messages


def test_a_statement_that_a_rule_has_prepared_is_unknown_to_the_session() -> None:
    with serving(framing="postgresql") as server:
        postgresql.session(server)
        server.on(postgresql.query("SELECT id")).reply(PEOPLE)
        with connected(server, autocommit=True) as connection:
            with pytest.raises(psycopg.errors.InvalidSqlStatementName, match="does not exist") as caught:
                connection.execute("SELECT id", prepare=True)
            assert "postgresql.session()" in caught.value.diag.message_hint


def test_values_of_many_types_come_back() -> None:
    import datetime
    import decimal
    import uuid

    row = (
        *(True, 1.5, b"\0x", decimal.Decimal("-12345.10"), datetime.date(2024, 1, 2), uuid.UUID(int=7)),
        *({"a": [1]}, datetime.datetime(2024, 1, 2, 3, 4, tzinfo=datetime.UTC)),
    )
    names = [f"c{index}" for index in range(len(row))]
    with serving(framing="postgresql") as server:
        postgresql.session(server, {"SELECT 1": postgresql.rows(names, [row])})
        with connected(server) as connection:
            assert connection.execute("SELECT 1").fetchone() == row
            assert connection.execute("SELECT 1", binary=True).fetchone() == row


def test_a_query_without_an_answer_is_an_error_that_names_it() -> None:
    with serving(framing="postgresql", strict=False) as server:
        postgresql.session(server, ANSWERS)
        with scripted_client(server.address) as client:
            client.send(postgresql.SimpleQuery("SELECT 2"))
        server.drain()

        assert "it is SELECT 2; no answer is given for 'SELECT 2'" in str(server.errors[0])


def test_a_malformed_message_is_kept_with_the_reason() -> None:
    with serving(framing="postgresql", strict=False) as server:
        server.reply(postgresql.ReadyForQuery())
        with scripted_client(server.address) as client:
            client.send(b"Q\0\0\0\x05x").expect(postgresql.ReadyForQuery())

        request = server.requests.only()
        assert request.data == b"Q\0\0\0\x05x"
        with pytest.raises(DecodeError, match="text without a zero byte"):
            _ = request.message
        assert any("no PostgreSQL message (" in line for line in server.transcript())


def test_bytes_that_begin_no_message_are_an_error_and_kept() -> None:
    with serving(framing="postgresql", strict=False) as server:
        postgresql.session(server)
        with scripted_client(server.address) as client:
            client.send(b"GET / HTTP/1.1\r\n\r\n")
        server.drain()

        with pytest.raises(FramingError, match="is no length of a message"):
            _ = server.requests[0]
        assert server.connections[0].upstream == b"GET / HTTP/1.1\r\n\r\n"


@pytest.fixture
def in_doubt() -> Any:
    """Return a connection to a session with an answer that is an error."""
    answers = {"SELECT 1": postgresql.rows(["n"], [(1,)]), "SELECT 1/0": postgresql.error("22012", "division by zero")}
    with serving(framing="postgresql") as server:
        postgresql.session(server, answers)
        with connected(server, autocommit=True) as connection:
            yield connection


def test_a_transaction_with_an_error_takes_only_its_end(in_doubt: Any) -> None:
    in_doubt.execute("BEGIN")
    with pytest.raises(psycopg.errors.DivisionByZero):
        in_doubt.execute("SELECT 1/0")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        in_doubt.execute("SELECT 1")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        in_doubt.execute("SELECT 1", binary=True)  # in the extended protocol

    assert in_doubt.execute("COMMIT").statusmessage == "ROLLBACK"
    assert in_doubt.execute("SELECT 1").fetchone() == (1,)


def test_a_transaction_goes_on_behind_a_savepoint(in_doubt: Any) -> None:
    with in_doubt.transaction():
        with pytest.raises(psycopg.errors.DivisionByZero), in_doubt.transaction():
            in_doubt.execute("SELECT 1/0")
        assert in_doubt.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        assert in_doubt.execute("SELECT 1").fetchone() == (1,)
    assert in_doubt.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_cursor_of_declare_is_an_error_of_the_query() -> None:
    with serving(framing="postgresql") as server:
        postgresql.session(server, {re.compile("^(DECLARE|CLOSE)"): postgresql.command("DECLARE CURSOR")})
        with connected(server) as connection:
            with pytest.raises(psycopg.errors.InvalidCursorName), connection.cursor(name="c") as cursor:
                cursor.execute("SELECT 1")
            connection.rollback()


@pytest.mark.parametrize("rows", [5, [1], ["x"], [{"n": 1}]])
def test_rows_that_are_none_are_refused(rows: Any) -> None:
    with pytest.raises(UsageError, match="expected rows, each a tuple of values"):
        postgresql.rows(["n"], rows)


def test_what_makes_no_session_is_refused() -> None:
    with serving(framing="postgresql") as server:
        with pytest.raises(UsageError, match="is no answer"):
            postgresql.session(server, {"SELECT 1": 1})  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="expected one of"):
            postgresql.session(server, auth="kerberos")
    with serving(framing="postgresql", concurrency="forking") as server, pytest.raises(UsageError, match="forking"):
        postgresql.session(server)
