"""Parts of a secret that are masked wherever they stand, and words that are too common for that."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from windsock import redaction
from windsock.redaction import MaskedStream

SECRET = "hunt7zqXw"
TEXT = f"ValueError: {SECRET} is wrong"


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    yield
    redaction.forget()


def found(message: bytes) -> None:
    """Have the secrets of a message known."""
    MaskedStream(iter([message])).take(1)


@pytest.mark.parametrize(
    "message",
    [
        f"Cookie: a=b; sid={SECRET}\r\n",
        f"Set-Cookie: sid={SECRET}; Path=/\r\n",
        f'Authorization: Digest username="x", response="{SECRET}", qop=auth\r\n',
        f"Authorization: Bearer {SECRET}\r\n",
        f"Authorization: Basic {base64.b64encode(f'x:{SECRET}'.encode()).decode()}\r\n",
        f"AUTH PLAIN {base64.b64encode(chr(0).join(['', 'x', SECRET]).encode()).decode()}\r\n",
        f"AUTH user {SECRET}\r\n",
        f"password={SECRET}&next=1",
    ],
)
def test_a_secret_within_a_longer_value_is_masked_where_it_stands_alone(message: str) -> None:
    found(message.encode())

    assert redaction.text(TEXT) == "ValueError: ********* is wrong"


@pytest.mark.parametrize(
    "value",
    [
        "server",
        "127.0.0.1",
        "127.0.0.1:54321",
        "[::1]:8080",
        "localhost:54321",
        "true",
        "null",
        "none",
        "password",
        "12345",
    ],
)
def test_a_common_word_or_an_address_is_masked_in_its_field_alone(value: str) -> None:
    message = f"PASS {value}\r\n".encode()
    found(message)

    assert value.encode() not in redaction.masked(message)
    assert redaction.text(f"the test asked {value} twice") == f"the test asked {value} twice"


def test_the_attributes_of_a_cookie_are_not_masked_elsewhere() -> None:
    found(b"Set-Cookie: sid=1; Path=/v1/orders; Domain=api2.example.org; Max-Age=31536000\r\n")

    assert redaction.text("GET /v1/orders of api2.example.org") == "GET /v1/orders of api2.example.org"


def test_a_long_secret_without_digits_is_masked_everywhere() -> None:
    found(b"PASS correct horse battery\r\n")

    assert redaction.text("not 'correct horse battery'") == "not '[redacted 21 B]******'"
