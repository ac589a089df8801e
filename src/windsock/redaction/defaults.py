r"""The usual secrets: HTTP headers, logins of mail, FTP and Redis, tokens, and keys with values.

Each pattern is compiled twice: for bytes as they pass, and for text that shows such bytes as literals, in which a line
ends with the two characters `\n` and a value with a quote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache, partial

from windsock.redaction.rules import SecretRule, Span, rule_of_pattern

__all__ = ["default_rules"]

NO_VALUE = rb"(?!(?:null|none|nil|undefined|true|false)(?![\w.~+/=-]))"
QUOTED = rb"\"((?:[^\"\\\r\n]|\\.)+)|'((?:[^'\\\r\n]|\\.)+)"
ESCAPED = b"|".join(
    rb"%(escape)s%(quote)s((?:(?!(?<!\\)%(escape)s%(quote)s)[^\r\n])+)" % {b"escape": rb"\\" * depth, b"quote": quote}
    for depth in (1, 2, 3)
    for quote in (b'"', b"'")
)
"""A value within a string that is itself within a string, as JSON in JSON: up to a quote with as many backslashes."""
KEY = rb"(?:\\{0,3}[\"'])?[ \t]*[=:][ \t]*(?:" + QUOTED + b"|" + ESCAPED + b"|" + NO_VALUE + rb"([^\s&;,\"'<>\\]+))"
"""What follows a key, up to its value."""
HEADER = rb"[\"']?[ \t]*:[ \t]*+" + NO_VALUE + rb"(<value>)?((?:<fold><value>)*)"
"""What follows the name of a header: its value, which may go on in lines that begin with white space."""
SASL = rb"AUTH(?:ENTICATE)?[ \t]+"
MECHANISM = rb"\"?(?:PLAIN|CRAM-MD5|DIGEST-MD5|XOAUTH2|OAUTHBEARER|SCRAM-SHA-\d+(?:-PLUS)?|NTLM|GSSAPI|EXTERNAL)\b\"?"
PATTERNS: tuple[tuple[bytes, bytes], ...] = (
    (b"auth", rb"<word>(?:proxy-)?authorization" + HEADER),
    (b"cookie", rb"<word>(?:set-)?cookie2?" + HEADER),
    (b"bearer", rb"<word>bearer[ \t]+([\w.~+/=-]+)"),
    (b"pass", rb"pass(?:word|wd|phrase)" + KEY),
    (b"pwd", rb"pwd" + KEY),
    (b"secret", rb"secret" + KEY),
    (b"token", rb"token" + KEY),
    (b"key", rb"(?:api|access)[_-]?key" + KEY),
    # SMTP, POP3 (RFC 4954, 5034), ManageSieve; then what answers a challenge, on lines of its own
    (b"auth", rb"<begin>" + SASL + MECHANISM + rb"[ \t]*<end>(<value>)"),
    (b"auth", rb"<begin>" + SASL + rb"LOGIN[ \t]*<end>(<value>)(?:<end>(<value>))?"),
    (b"auth", rb"<begin>" + SASL + rb"LOGIN[ \t]+(<value>)(?:<end>(<value>))?"),
    (b"auth", rb"<begin>" + SASL + rb"(?!LOGIN\b)(?:" + MECHANISM + rb"[ \t]*)?+(<value>)"),
    # the second messages of SCRAM (RFC 5802), as they are and in base64, and of NTLM
    (b",p=", rb"\bc=[\w+/=]+,r=[^,\s]+,p=([\w+/=]+)"),
    (b"yz1", rb"<word>(Yz1[A-Za-z0-9+/]{20,}=*)"),
    (b"tlrmtvntuaad", rb"<word>(TlRMTVNTUAAD[A-Za-z0-9+/]+=*)"),
    # Redis, inline and as an array of strings
    (b"auth", rb"<begin>HELLO[ \t]+\d[ \t]+AUTH[ \t]+(<value>)"),
    (b"auth", rb"<word>AUTH<end>\$\d+<end>(<value>)(?:<end>\$\d+<end>(<value>))?"),
    # IMAP (RFC 9051), whose strings may follow on lines of their own
    (b"login", rb"<begin>(?:(?!\d{3}[ \t])\S{1,32}[ \t]+)?LOGIN[ \t]+((?:[^\r\n{]*\{\d+\+?\}<end>)*<value>)"),
    (b"auth", rb"<begin>\S{1,32}[ \t]+AUTHENTICATE[ \t]+[\w-]+[ \t]+(<value>)"),
    (b"auth", rb"<begin>\S{1,32}[ \t]+AUTHENTICATE[ \t]+[\w-]+[ \t]*<end>(<value>)"),
    (b"auth", rb"<begin>\S{1,32}[ \t]+AUTHENTICATE[ \t]+LOGIN[ \t]*<end><value><end>(<value>)"),
    # POP3, FTP, IRC
    (b"pass", rb"<begin>PASS[ \t]+(<value>)"),
    (b"apop", rb"<begin>APOP[ \t]+\S+[ \t]+(<value>)"),
)
"""A word that a message has in lower case if the pattern may match, and the pattern; its groups are secret."""
PASSING = {
    b"<begin>": rb"^",
    b"<word>": rb"\b",
    b"<fold>": rb"\r?\n[ \t]+",
    b"<end>": rb"\r?\n",
    b"<value>": rb"[^\r\n]+",
}
SHOWN = {
    b"<begin>": rb"(?:^[ \t|]*(?:[-+][ ]|(?:\w+\.)*(?-i:[A-Z])\w*:[ ])?|(?<=['\"])|(?<=\\n))",
    b"<word>": rb"(?:\b|(?<=\\[nrt]))",
    b"<fold>": rb"(?:\\r)?\\n(?:[ \t]|\\t)+",
    b"<end>": rb"(?:\r?\n|(?:\\r)?\\n)",
    b"<value>": rb"(?:(?!\\[rn]|'(?![\w=]))[^\r\n])+",
}


LITERAL = re.compile(rb"(?<!\w)[bru]{0,2}(?:\"(?:[^\"\\\r\n]|\\.)*\"|'(?:[^'\\\r\n]|\\.)*')", re.IGNORECASE)
SENTENCE_GOES_ON = b" \t\r\n,;:.)]}"
"""What follows the end of a literal, rather than a quote that begins a value."""
LEFT_OUT = b"..."
"""What pytest puts in the place of the middle of a long text, which may be that of several literals."""
UP_TO_A_QUOTE = re.compile(rb"(?:[^'\"\\]|\\.)*")


@lru_cache(maxsize=2)
def default_rules(*, is_shown: bool) -> tuple[SecretRule, ...]:
    """Return the rules for bytes as they pass, or for text that shows them."""
    return tuple(_rule(needle, pattern, is_shown=is_shown) for needle, pattern in PATTERNS)


def _rule(needle: bytes, pattern: bytes, *, is_shown: bool) -> SecretRule:
    for name, part in (SHOWN if is_shown else PASSING).items():
        pattern = pattern.replace(name, part)
    rule = rule_of_pattern(re.compile(pattern, re.IGNORECASE | re.MULTILINE), needle)
    return replace(rule, find=partial(_within_literals, rule.find)) if is_shown else rule


def _within_literals(find: Callable[[bytes], Iterable[Span]], data: bytes) -> Iterator[Span]:
    """Give secrets in text, up to the end of the literal in which they begin; a key that ends a literal has none."""
    found = list(find(data))
    literals = [each.span() for each in LITERAL.finditer(data)] if found else []
    ends = {end for _, end in literals}
    for start, end in found:
        if start in ends and data[start : start + 1] in SENTENCE_GOES_ON:
            continue
        last = next((last - 1 for first, last in literals if first <= start < last), None)
        yield from _without_gaps(data, start, end if last is None else min(end, last), is_in_literal=last is not None)


def _without_gaps(data: bytes, start: int, end: int, *, is_in_literal: bool) -> Iterator[Span]:
    """Give the parts of a secret around what was left out; the last may be of another text: then a literal begins."""
    while (gap := data.find(LEFT_OUT, start, end)) >= 0:
        if start < gap:
            yield start, gap
        start = gap + len(LEFT_OUT)
        if not is_in_literal and (quote := UP_TO_A_QUOTE.match(data, start, end)):
            end = quote.end()
        if data[end : end + 1] in (b"'", b'"') and data[end + 1 : end + 2] not in SENTENCE_GOES_ON:
            return
    if start < end:
        yield start, end
