"""Finding: the replies to several requests came in another order than the test expected."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator

from windsock.findings.facts import Case, Finding
from windsock.findings.phrases import shown

__all__ = ["find"]

LISTS = re.compile(r"assert (\[b.*\]) == (\[b.*\])$", re.M)
"""A failed comparison of two lists of bytes."""


def find(case: Case) -> Iterator[Finding]:
    """Give the connection on which the replies were sent in the order in which the test got them."""
    got, expected = _lists(case.failure.text)
    if got == expected or sorted(got) != sorted(expected):
        return
    for server in case.answering:
        for connection in server.connections:
            if b"".join(got) in connection.downstream:
                who = "fake" if server.is_fake else "handler"
                first = next(left for left, right in zip(got, expected, strict=True) if left != right)
                wrong = expected[got.index(first)]
                sentence = f"the {who} itself sent the replies in this order, {shown(first)} before {shown(wrong)}"
                yield Finding(85, f"{server.at(connection)}: {sentence}", server.about(connection))
                return


def _lists(text: str) -> tuple[list[bytes], list[bytes]]:
    found = LISTS.search(text)
    with contextlib.suppress(ValueError, SyntaxError):  # a list that pytest has cut short
        if found is not None:
            left, right = (ast.literal_eval(each) for each in found.groups())
            return left, right
    return [], []
