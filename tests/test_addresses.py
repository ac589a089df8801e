"""One spelling of addresses."""

from __future__ import annotations

import pytest

from windsock import addresses


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
