"""Addresses, bytes and certificates as a command line has them."""

from __future__ import annotations

import pytest

from windsock import UsageError
from windsock.commands.texts import address_from, bytes_from, certificate_from, pattern_from


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:80", ("localhost", 80)),
        (":6379", ("127.0.0.1", 6379)),
        ("[::1]:0", ("::1", 0)),
        ("/run/app.sock", "/run/app.sock"),
        ("./app.sock", "./app.sock"),
        ("@app", "\0app"),
    ],
)
def test_an_address_is_read_as_it_is_shown(text: str, address: object) -> None:
    assert address_from(text) == address


@pytest.mark.parametrize("text", ["", "80", "localhost", "localhost:http", "::1:80", "a:99999", "@", "a:-1"])
def test_an_address_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="expected HOST:PORT"):
        address_from(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://localhost", "localhost:6379 --protocol redis"),
        ("rediss://user:pw@db.example:7000/0", "db.example:7000 --protocol redis --upstream-tls"),
        ("https://api.example/v1?x", "api.example:443 --protocol http --upstream-tls"),
        ("amqp://[::1]:1", "[::1]:1"),
        ("other://host", "host:PORT"),
        ("unix:///run/app.sock", "the path alone, /run/app.sock"),
    ],
)
def test_of_a_url_it_is_said_what_to_write(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        address_from(text)

    assert str(caught.value) == f"address {text!r}: it is a URL; expected {expected}"


def test_bytes_have_escapes() -> None:
    assert bytes_from(r"a\r\n\t\0\\\xff b") == b"a\r\n\t\0\\\xff b"
    assert bytes_from("é") == "é".encode()
    assert bytes_from("") == b""


@pytest.mark.parametrize(("text", "column"), [(r"ab\q", 3), ("a\\", 2), (r"\x1", 1)])
def test_a_wrong_escape_is_shown_with_its_column(text: str, column: int) -> None:
    with pytest.raises(UsageError, match=f"column {column}: expected one of"):
        bytes_from(text)


def test_a_certificate_is_a_word_or_names() -> None:
    assert certificate_from(["expired"]) == "expired"
    assert certificate_from(["api.example"]) == ["api.example"]
    assert certificate_from(["localhost"]) == ["localhost"]
    assert certificate_from(["chain.pem", "key.pem"]) == ["chain.pem", "key.pem"]
    assert certificate_from(None) is None


def test_a_malformed_expression_is_named() -> None:
    assert pattern_from(r"ticket=(\w+)").pattern == rb"ticket=(\w+)"
    with pytest.raises(UsageError, match="expected a regular expression"):
        pattern_from("(")
