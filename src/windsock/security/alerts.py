"""The alerts of TLS: their names and numbers, and which one an error of the ssl module tells of."""

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
OPENSSL = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(.+)")
SPELLED = {"user_cancelled": "user_canceled"}


class Alert(str):
    """What an alert is called, such as "bad_certificate"; `number` is its number (RFC 8446, section 6)."""

    __slots__ = ()

    @property
    def number(self) -> int:
        """Return its number; -1 for one that has no name there."""
        return ALERTS.get(self, -1)


def alert_of(error: BaseException) -> Alert | None:
    """Return the alert of the other end that an error tells of, if it does.

    OpenSSL calls them "TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_UNRECOGNIZED_NAME".
    """
    found = OPENSSL.fullmatch(str(getattr(error, "reason", None) or ""))
    if found is None:
        return None
    name = found[1].lower()
    return Alert(SPELLED.get(name, name))


def mark_alert(error: BaseException | None, sock: Any) -> None:
    """Have an error that tells of an alert say, by its attribute `ended_by_alert`, which connection that has ended.

    So a server knows what its client has done from what a handler's other connections have come to.
    """
    if error is not None and alert_of(error) is not None:
        error.ended_by_alert = sock  # type: ignore[attr-defined]  # an attribute of ours
