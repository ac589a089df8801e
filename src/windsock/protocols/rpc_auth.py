"""Credentials and verifiers of Sun RPC (RFC 5531, section 8.2): AUTH_NONE and AUTH_SYS. No I/O."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from windsock.errors import UsageError
from windsock.protocols import xdr
from windsock.protocols.xdr import DecodeError, Decoder, Encoder

__all__ = ["AUTH_NONE", "Auth", "AuthFlavor", "AuthSys", "check_auth"]

AUTH_LIMIT = 400
"""The most bytes of a credential or a verifier (RFC 5531, section 8.2)."""


class AuthFlavor(enum.IntEnum):
    """Flavors of authentication. Others exist: a credential keeps any number."""

    NONE = 0
    SYS = 1
    SHORT = 2
    DH = 3
    GSS = 6


_BODY = xdr.Opaque(AUTH_LIMIT)


@dataclass(frozen=True, slots=True)
class Auth:
    """A credential or a verifier: a flavor and its bytes, at most 400."""

    flavor: int = AuthFlavor.NONE
    body: bytes = b""

    def write(self, encoder: Encoder) -> None:
        """Add flavor and bytes to an encoder."""
        encoder.put(xdr.INT, self.flavor).put(_BODY, self.body)

    @classmethod
    def read(cls, decoder: Decoder) -> Auth:
        """Take flavor and bytes from a decoder. Raises DecodeError."""
        return cls(decoder.get(xdr.INT), decoder.get(_BODY))


AUTH_NONE = Auth()


def check_auth(name: str, value: object) -> None:
    """Raise UsageError for what is no credential or verifier."""
    if not isinstance(value, Auth):
        raise UsageError(f"{name}={value!r}: expected an Auth, such as AuthSys(...).credential() or AUTH_NONE")


@dataclass(frozen=True, slots=True)
class AuthSys:
    """The credential of AUTH_SYS (RFC 5531, appendix A): who calls, as Unix has it; at most 16 groups in `gids`."""

    stamp: int
    machine_name: str
    uid: int
    gid: int
    gids: Sequence[int] = ()

    def credential(self) -> Auth:
        """Return the credential of a call."""
        return Auth(AuthFlavor.SYS, _AUTH_SYS.encode(self))

    @classmethod
    def of(cls, credential: Auth) -> AuthSys:
        """Return what a credential says. Raises DecodeError unless it is one of AUTH_SYS."""
        if credential.flavor != AuthFlavor.SYS:
            raise DecodeError(
                f"{credential.flavor} is not AUTH_SYS", offset=0, type="auth_flavor", value=credential.flavor
            )
        return _AUTH_SYS.decode(credential.body)


_AUTH_SYS: xdr.Struct[AuthSys] = xdr.Struct(
    AuthSys,
    stamp=xdr.UINT,
    machine_name=xdr.String(255),
    uid=xdr.UINT,
    gid=xdr.UINT,
    gids=xdr.Array(xdr.UINT, 16),
)
