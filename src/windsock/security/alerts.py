"""TLS alerts: their names and numbers, and the alert behind an error of the ssl module."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["ALERTS", "Alert", "alert_of", "mark_alert"]

ALERTS = {
    "close_notify": 0,
    "unexpected_message": 10,
    "bad_record_mac": 20,
    "record_overflow": 22,
    "handshake_failure": 40,
    "bad_certificate": 42,
    "unsupported_certificate": 43,
    "certificate_revoked": 44,
    "certificate_expired": 45,
    "certificate_unknown": 46,
    "illegal_parameter": 47,
    "unknown_ca": 48,
    "access_denied": 49,
    "decode_error": 50,
    "decrypt_error": 51,
    "protocol_version": 70,
    "insufficient_security": 71,
    "internal_error": 80,
    "inappropriate_fallback": 86,
    "user_canceled": 90,
    "missing_extension": 109,
    "unsupported_extension": 110,
    "unrecognized_name": 112,
    "bad_certificate_status_response": 113,
    "unknown_psk_identity": 115,
    "certificate_required": 116,
    "no_application_protocol": 120,
}
"""AlertDescription of RFC 8446, section 6."""
RESERVED = {
    "decryption_failed": 21,
    "decompression_failure": 30,
    "no_certificate": 41,
    "export_restriction": 60,
    "no_renegotiation": 100,
    "certificate_unobtainable": 111,
    "bad_certificate_hash_value": 114,
}
"""Alerts of earlier versions of TLS (RFC 8446, appendix B.2)."""
OPENSSL = re.compile(r"(?:\[ssl\] )?(?:sslv3|tlsv1|tlsv13) (?:alert )?([a-z ]+)")
SPELLED = {"user_cancelled": "user_canceled"}


class Alert(str):
    """The name of a TLS alert, such as "bad_certificate"; `number` is its number (RFC 8446, section 6)."""

    __slots__ = ()

    @property
    def number(self) -> int:
        """Return the number of the alert."""
        return (ALERTS | RESERVED)[self]


def alert_of(error: BaseException) -> Alert | None:
    """Return the other end's alert that caused an error, or None.

    The ssl module calls alerts "TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_UNRECOGNIZED_NAME". For
    alerts that a version does not know, only the text has the name: "[SSL] tlsv1 alert unknown psk identity (...)".
    """
    if getattr(error, "library", None) != "SSL":
        return None
    said = str(getattr(error, "reason", None) or getattr(error, "strerror", None) or "")
    found = OPENSSL.match(said.replace("_", " ").lower())
    if found is None:
        return None
    name = found[1].strip().replace(" ", "_")
    name = SPELLED.get(name, name)
    return Alert(name) if name in ALERTS or name in RESERVED else None


def mark_alert(error: BaseException | None, sock: Any) -> None:
    """Set the attribute `ended_by_alert` of an error caused by an alert to the connection that the alert ended.

    It lets a server tell its own client's alert from an alert on another connection of the handler.
    """
    if error is not None and alert_of(error) is not None:
        error.ended_by_alert = sock  # type: ignore[attr-defined]  # an attribute of ours
