r"""The usual secrets: HTTP headers, logins of mail, FTP and Redis, tokens, and keys with values.

Each pattern is compiled twice: for bytes as they pass, and for text that shows such bytes as literals, in which a line
ends with the two characters `\n` and a value with a quote.
"""

from __future__ import annotations

import re
from functools import lru_cache

from windsock.redaction.rules import SecretRule, rule_of_pattern

__all__ = ["default_rules"]

KEY = rb"[\"']?[ \t]*[=:][ \t]*(?:\"((?:[^\"\\\r\n]|\\.)+)|'((?:[^'\\\r\n]|\\.)+)|([^\s&;,\"'<>\\]+))"
"""What follows a key, up to its value."""
SASL = rb"AUTH(?:ENTICATE)?[ \t]+"
MECHANISM = rb"\"?(?:PLAIN|CRAM-MD5|DIGEST-MD5|XOAUTH2|OAUTHBEARER|SCRAM-SHA-\d+(?:-PLUS)?|NTLM|GSSAPI|EXTERNAL)\b\"?"
PATTERNS: tuple[tuple[bytes, bytes], ...] = (
    (b"auth", rb"<word>(?:proxy-)?authorization[\"']?[ \t]*:[ \t]*(<value>)"),
    (b"cookie", rb"<word>(?:set-)?cookie2?[\"']?[ \t]*:[ \t]*(<value>)"),
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
PASSING = {b"<begin>": rb"^", b"<word>": rb"\b", b"<end>": rb"\r?\n", b"<value>": rb"[^\r\n]+"}
SHOWN = {
    b"<begin>": rb"(?:^|(?<=['\"])|(?<=\\n))",
    b"<word>": rb"(?:\b|(?<=\\[nrt]))",
    b"<end>": rb"(?:\r?\n|(?:\\r)?\\n)",
    b"<value>": rb"(?:(?!\\[rn]|'(?![\w=]))[^\r\n])+",
}


@lru_cache(maxsize=2)
def default_rules(*, is_shown: bool) -> tuple[SecretRule, ...]:
    """Return the rules for bytes as they pass, or for text that shows them."""
    return tuple(_rule(needle, pattern, SHOWN if is_shown else PASSING) for needle, pattern in PATTERNS)


def _rule(needle: bytes, pattern: bytes, parts: dict[bytes, bytes]) -> SecretRule:
    for name, part in parts.items():
        pattern = pattern.replace(name, part)
    return rule_of_pattern(re.compile(pattern, re.IGNORECASE | re.MULTILINE), needle)
