"""Alerts that the ssl module has no call for: encrypted by hand, with the keys that it writes to its key log."""

from __future__ import annotations

import struct
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

__all__ = ["alert_record"]

ALERT, FATAL = 21, 2


def alert_record(keylog: Path, number: int) -> bytes:
    """Return a fatal alert as the client's first record after the handshake.

    For TLS 1.3 with TLS_AES_256_GCM_SHA384, which is what OpenSSL agrees on with itself (RFC 8446, section 5.2).
    """
    (line,) = [each for each in keylog.read_text().splitlines() if each.startswith("CLIENT_TRAFFIC_SECRET_0 ")]
    secret = bytes.fromhex(line.split()[2])
    nonce = _expand(secret, b"iv", 12)  # of record 0
    inner = bytes([FATAL, number, ALERT])
    header = struct.pack("!BHH", 23, 0x0303, len(inner) + 16)
    return header + AESGCM(_expand(secret, b"key", 32)).encrypt(nonce, inner, header)


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label of RFC 8446, section 7.1."""
    label = b"tls13 " + label
    info = struct.pack("!HB", size, len(label)) + label + b"\x00"
    return HKDFExpand(SHA384(), size, info).derive(secret)
