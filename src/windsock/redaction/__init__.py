"""Secrets in bytes and text, masked where something is shown or written. No I/O."""

from windsock.redaction.redactor import forget, is_in_use, keep, line, masked, remember, text, use
from windsock.redaction.rules import SecretRule, rules_from
from windsock.redaction.stream import MaskedStream

__all__ = [
    "MaskedStream",
    "SecretRule",
    "forget",
    "is_in_use",
    "keep",
    "line",
    "masked",
    "remember",
    "rules_from",
    "text",
    "use",
]
