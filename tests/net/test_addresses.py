"""One spelling of addresses."""

from __future__ import annotations

import pytest

from windsock.net import addresses

LOOPBACK = ["localhost", "LocalHost", "localhost.", "127.0.0.1", "127.9.9.9", "::1", "::1%lo"]
LOOPBACK += ["::ffff:127.0.0.1", "::FFFF:7f00:1"]
OTHERS = ["", "0.0.0.0", "::", "::ffff:10.0.0.1", "::ffff:0.0.0.0", "10.0.0.1", "example.org", "localhost.example.org"]


@pytest.mark.parametrize(
    ("host", "is_loopback"), [*((each, True) for each in LOOPBACK), *((each, False) for each in OTHERS)]
)
def test_a_loopback_address_is_known_however_it_is_written(host: str, is_loopback: bool) -> None:
    assert addresses.is_loopback(host) is is_loopback


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 80), "[::1]:80"),
        (("::1", 80, 0, 0), "[::1]:80"),
        ("/run/x.sock", "/run/x.sock"),
        (b"/run/x.sock", "/run/x.sock"),
        ("\0name", "@name"),
        (b"\0name", "@name"),
        ("", "(unnamed)"),
        (None, "(unnamed)"),
    ],
)
def test_an_address_is_shown_as_people_write_it(address: object, shown: str) -> None:
    assert addresses.show(address) == shown
