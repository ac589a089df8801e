"""What cannot be diverted, or where to."""

from __future__ import annotations

from typing import Any

import pytest

import windsock

HERE = ("127.0.0.1", 9)


@pytest.mark.parametrize(
    "key",
    [
        "",
        ":443",
        "*",
        "*:443",
        "a.*.example",
        "https://api.example",
        "api.example:",
        "api.example:https",
        "api.example:0",
        "api.example:65536",
        "api.example:4 43",
        "api..example",
        "api example",
        "-api.example",
        "/run/api.sock",
        "[::1",
        "[::1]:",
        "[api.example]:443",
        ("api.example", 443),
        b"api.example",
        443,
        None,
    ],
)
def test_a_key_that_is_no_name(key: Any) -> None:
    with pytest.raises(windsock.UsageError) as caught:
        windsock.divert({key: HERE})

    assert str(caught.value).startswith(f"divert({{{key!r}: ...}}): expected a name, a wildcard or an IP address")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("api.example:443", "API.example.:443"),
        ("api.example", "api.example."),
        ("10.0.0.1:80", "[::ffff:10.0.0.1]:80"),
        ("::1", "[0:0:0:0:0:0:0:1]"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
    ],
)
def test_two_keys_for_one_name(one: str, two: str) -> None:
    with pytest.raises(windsock.UsageError, match="another key is the same name and port"):
        windsock.divert({one: HERE, two: HERE})


@pytest.mark.parametrize("value", [None, 443, ("127.0.0.1",), ("127.0.0.1", 0), ("127.0.0.1", "80"), object(), {}])
def test_a_value_that_is_no_address(value: Any) -> None:
    with pytest.raises(windsock.UsageError, match=r"expected a server or a proxy of windsock, or \(host, port\); "):
        windsock.divert({"api.example:443": value})


def test_a_value_whose_host_is_unknown() -> None:
    with pytest.raises(windsock.UsageError, match="can't be found"):
        windsock.divert({"api.example:443": ("nowhere.invalid", 80)})


def test_a_unix_socket(unix_stream_server: windsock.RunningServer) -> None:
    values: list[Any] = [unix_stream_server, unix_stream_server.address, "/run/api.sock"]
    for value in values:
        with pytest.raises(windsock.UsageError, match=r'is a Unix socket, .*serve with transport="tcp" or "udp"'):
            windsock.divert({"api.example:443": value})


def test_a_stopped_server(serve: Any) -> None:
    server = serve()
    server.stop()

    with pytest.raises(windsock.UsageError, match="has been stopped; divert to one that runs"):
        windsock.divert({"api.example:443": server})


@pytest.mark.parametrize("names", [None, "api.example:443", ["api.example:443"], [("api.example", HERE)]])
def test_what_is_no_mapping(names: Any) -> None:
    with pytest.raises(windsock.UsageError, match="expected a mapping"):
        windsock.divert(names)


def test_no_names_and_others_allowed() -> None:
    with pytest.raises(windsock.UsageError, match="expected a name at least"):
        windsock.divert({})


@pytest.mark.parametrize("others", ["deny", None, True, ""])
def test_another_word_for_others(others: Any) -> None:
    with pytest.raises(windsock.UsageError, match='expected "allow" or "refuse"'):
        windsock.divert({"api.example": HERE}, others=others)


def test_a_server_for_all_addresses_is_reached_on_this_machine(serve: Any) -> None:
    server = serve(host="0.0.0.0", allow_external=True)

    assert f"-> 127.0.0.1:{server.port}" in repr(windsock.divert({"api.example": server}))
