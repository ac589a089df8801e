"""Parts of sentences."""

from __future__ import annotations

from windsock.errors import visible
from windsock.findings.phrases import counted_noun, either, listed, seconds


def test_sentences_have_no_control_characters_and_no_surrogates() -> None:
    assert visible("a\n\x1b[0m \udc80 grüße") == r"a\n\x1b[0m \udc80 " + "grüße"


def test_names_numbers_and_durations_are_put_in_words() -> None:
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("", "a", "a, b and c")
    assert either(["a", "b"]) == "a or b"
    assert (counted_noun(1, "piece"), counted_noun(2, "piece")) == ("1 piece", "2 pieces")
    assert (seconds(0.1234), seconds(-1.0), seconds(2.0)) == ("0.12 s", "0 s", "2 s")
