"""Finding: a line of a mail that is a dot ended the mail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windsock.findings.facts import Case, Finding
from windsock.findings.phrases import shown

__all__ = ["find"]

DATA = re.compile(rb"(?:\A|\n)DATA\r?\n", re.I)
END = re.compile(rb"(?:\A|\n)\.\r?\n")


def find(case: Case) -> Iterator[Finding]:
    """Give the first connection of each server with a mail that has more than one end."""
    if not case.failure.is_about_traffic:
        return
    for server in case.answering:
        for connection in server.connections:
            rest = _after_dot(connection.upstream)
            if rest:
                sentence = f"a line with a dot alone ended the mail, and {shown(rest)} was taken for commands"
                remedy = "put another dot before each line that begins with one (RFC 5321, section 4.5.2)"
                yield Finding(89, f"{server.at(connection)}: {sentence}: {remedy}", server.about(connection))
                break


def _after_dot(upstream: bytes) -> bytes:
    """Return what follows the first end of a mail, if it has a second one."""
    begun = DATA.search(upstream)
    mail = b"" if begun is None else DATA.split(upstream[begun.end() :], maxsplit=1)[0]
    first = END.search(mail)
    rest = b"" if first is None else mail[first.end() :]
    return rest if END.search(b"\n" + rest) else b""
