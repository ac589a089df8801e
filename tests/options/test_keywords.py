"""The keywords of servers, clients and replies: the same in type hints and at run time; unknown ones are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

import windsock
from windsock.clients.connect_options import AddressKeywords, ConnectKeywords, ConnectOptions
from windsock.fakes.replies import Answer, Delivery
from windsock.options.server_options import Options, ServerKeywords

front: Any = windsock
"""Without types, which refuse an unknown keyword."""


def names(*kinds: Any) -> set[str]:
    return {name for kind in kinds for name in kind.__required_keys__ | kind.__optional_keys__}


@pytest.mark.parametrize(
    ("values", "keywords", "others"),
    [
        (Options, (ServerKeywords,), {"server_class", "handler"}),
        (ConnectOptions, (AddressKeywords, ConnectKeywords), set()),
        (Answer, (Delivery,), {"what", "then", "pattern", "value", "framing"}),
    ],
)
def test_each_keyword_has_a_value(values: Any, keywords: tuple[Any, ...], others: set[str]) -> None:
    assert {each.name for each in fields(values)} == names(*keywords) | others


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("connect", lambda server: server.connect(transport="udp")),
        ("connect_trio", lambda server: server.connect_trio(tmeout=1)),
        ("crowd", lambda server: server.crowd(1, windsock.Script(), tmeout=1)),
        ("reply", lambda server: server.reply(b"x", dely=1)),
        ("greet", lambda server: server.greet(b"x", times=1)),
        ("then", lambda server: server.on(b"x").reply(b"y").then(b"z", dely=1)),
        ("serving", lambda server: front.serving(prt=1)),
        ("scripted_client", lambda server: front.scripted_client(server.address, certificate=False)),
        ("TrioClient", lambda server: front.TrioClient(server.address, certificate=False)),
    ],
)
def test_an_unknown_keyword_is_named(method: str, call: Callable[[Any], object]) -> None:
    words = rf"^{method}\(\) got an unexpected keyword argument '\w+'(; did you mean '\w+'\?)?$"
    with windsock.serving(framing="lines", allow_unused=True) as server, pytest.raises(TypeError, match=words):
        call(server)


def test_a_keyword_that_was_meant_is_named() -> None:
    with pytest.raises(windsock.UsageError) as caught:
        front.serving(transprot="udp")

    assert str(caught.value) == "serving() got an unexpected keyword argument 'transprot'; did you mean 'transport'?"
