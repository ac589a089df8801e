"""Errors of the core in the words of a command line."""

from __future__ import annotations

import pytest

from windsock.commands.main import parser
from windsock.commands.option_names import in_options


@pytest.mark.parametrize(
    ("words", "message", "shown"),
    [
        ("serve", "host='0.0.0.0': pass allow_external=True", "--host 0.0.0.0: pass --allow-external"),
        ("serve", "transport='udp' and tls='mutual' and tls=True", "--udp and --mutual-tls and --tls"),
        ("serve --protocol x", "framing='x': none", "--protocol x: none"),
        ("serve --framing 7", "framing=7: none", "--framing 7: none"),
        ("serve", "certificate=['a b', 'c']", "--certificate 'a b' --certificate c"),
        ("serve", "port=None, seed=-1", "no --port, --seed -1"),
        ("serve", "(if that is expected, pass allow_unused=True)", "(if that is expected, leave out --strict)"),
        ("proxy :1", "listen=('::1', 0): no", "--listen [::1]:0: no"),
        ("proxy :1", "host='a' of ('127.0.0.1', 1)", "host='a' of 127.0.0.1:1"),
        ("serve", "Delay(1), match=b'x', its_port=1", "Delay(1), match=b'x', its_port=1"),
    ],
)
def test_keywords_are_options_where_the_command_has_them(words: str, message: str, shown: str) -> None:
    given = words.split()

    assert in_options(message, parser().parse_args(given), given) == shown
