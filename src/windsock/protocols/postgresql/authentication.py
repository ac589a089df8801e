"""How clients of PostgreSQL prove who they are: a password in the clear, MD5, SCRAM-SHA-256. No I/O."""

from __future__ import annotations

import base64
import hashlib
import hmac

from windsock.protocols.errors import DecodeError
from windsock.protocols.postgresql.replies import Authentication
from windsock.protocols.postgresql.requests import AuthenticationData

__all__ = ["METHODS", "PasswordCheck"]

SALT = b"windsock-salt-01"
"""The same for each session: there is nothing to protect."""
ROUNDS = 4096
SCRAM = b"SCRAM-SHA-256"
METHODS = ("trust", "password", "md5", "scram-sha-256")


class PasswordCheck:
    """One client that proves that it knows a password."""

    def __init__(self, method: str, user: str, password: str) -> None:
        self._method = method
        self._user = user
        self._password = password
        self._first = b""
        """The first messages of both ends of SCRAM."""

    def begin(self) -> Authentication:
        """Return the request for authentication."""
        if self._method == "password":
            return Authentication(3)
        if self._method == "md5":
            return Authentication(5, SALT[:4])
        return Authentication(10, SCRAM + b"\0\0")

    def next(self, data: AuthenticationData) -> Authentication | bool:
        """Return the next request; else whether the client knows the password. Kind 12 is both."""
        if self._method == "password":
            return hmac.compare_digest(data.password.encode(), self._password.encode())
        if self._method == "md5":
            return hmac.compare_digest(data.password.encode(), self._md5())
        return self._final(data.data) if self._first else self._challenge(data.data)

    def _md5(self) -> bytes:
        inner = hashlib.md5(f"{self._password}{self._user}".encode(), usedforsecurity=False).hexdigest().encode()
        return b"md5" + hashlib.md5(inner + SALT[:4], usedforsecurity=False).hexdigest().encode()

    def _challenge(self, data: bytes) -> Authentication:
        mechanism, _, rest = data.partition(b"\0")
        bare = rest[4:].partition(b",,")[2]
        nonce = _attribute(bare, b"r")
        if mechanism != SCRAM or not nonce:
            raise DecodeError(f"no first message of SCRAM-SHA-256: {data[:32]!r}")
        said = b"r=%b%b,s=%b,i=%d" % (nonce, SALT, base64.b64encode(SALT), ROUNDS)
        self._first = bare + b"," + said
        return Authentication(11, said)

    def _final(self, data: bytes) -> Authentication | bool:
        without_proof, _, proof = data.rpartition(b",p=")
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), SALT, ROUNDS)
        key = _hmac(salted, b"Client Key")
        signed = self._first + b"," + without_proof
        signature = _hmac(hashlib.sha256(key).digest(), signed)
        expected = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        if not hmac.compare_digest(base64.b64encode(expected), proof):
            return False
        return Authentication(12, b"v=" + base64.b64encode(_hmac(_hmac(salted, b"Server Key"), signed)))


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def _attribute(data: bytes, name: bytes) -> bytes:
    return next((each[2:] for each in data.split(b",") if each.startswith(name + b"=")), b"")
