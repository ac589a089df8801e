"""The challenge and response of multiprocessing.connection, from Python 3.11's on, as a server does it."""

from __future__ import annotations

import contextlib
import os
import re
from time import monotonic
from typing import Any

__all__ = ["answer", "authenticate", "is_right"]

CHALLENGE, WELCOME, FAILURE = b"#CHALLENGE#", b"#WELCOME#", b"#FAILURE#"
LONGEST = 256
"""Bytes that a message of this protocol may have."""
NONCE = 40
OLD_NONCE = 20
"""Bytes of a challenge as it was before Python 3.12: without the name of a digest, to be answered with MD5."""
OLD_DIGEST = 16
DIGESTS = ("md5", "sha256", "sha384", "sha3_256", "sha3_384")
NAMED = re.compile(rb"\{([a-z0-9_]+)\}", re.ASCII)


class _Refused(Exception):
    """Says why."""


def answer(authkey: bytes, challenge: bytes) -> bytes:
    """Return what shows that we know the key.

    Raises ValueError for a challenge that names a digest there is not, or is too short to be safe.
    """
    if len(challenge) == OLD_NONCE:
        return _digest(authkey, challenge, "md5")
    found = NAMED.match(challenge)
    if found is None:
        raise ValueError(f"a challenge of {len(challenge)} bytes without the name of a digest")
    name = found[1].decode()
    if name not in DIGESTS or len(challenge) - found.end() < OLD_NONCE:
        raise ValueError(f"a challenge for the digest {name!r}, with {len(challenge) - found.end()} random bytes")
    return found[0] + _digest(authkey, challenge, name)


def is_right(authkey: bytes, challenge: bytes, response: bytes) -> bool:
    """Return whether the response shows that the other end knows the key; takes as long for a wrong one."""
    import hmac

    found = NAMED.match(response) if len(response) != OLD_DIGEST else None
    name = found[1].decode() if found else "md5"
    if name not in DIGESTS:
        return False
    named = found[0] if found else b""
    return hmac.compare_digest(named + _digest(authkey, challenge, name), response)


def authenticate(request: Any, authkey: bytes, seconds: float) -> str:
    """Challenge the client, and answer its challenge; return why it may not talk, or nothing."""
    before = request.gettimeout()
    talk = _Talk(request, monotonic() + seconds)
    try:
        _check(talk, authkey)
        _be_checked(talk, authkey)
    except _Refused as why:
        return str(why)
    except TimeoutError:
        return f"the client did not answer within {seconds:g} s"
    except OSError as error:
        return f"the client left: {error.strerror or error}"
    finally:
        with contextlib.suppress(OSError):
            request.settimeout(before)
    return ""


def _check(talk: _Talk, authkey: bytes) -> None:
    challenge = b"{sha256}" + os.urandom(NONCE)
    talk.send(CHALLENGE + challenge)
    if not is_right(authkey, challenge, talk.receive()):
        talk.send(FAILURE)
        raise _Refused("the client's response does not fit the secret")
    talk.send(WELCOME)


def _be_checked(talk: _Talk, authkey: bytes) -> None:
    message = talk.receive()
    if not message.startswith(CHALLENGE):
        raise _Refused("the client sent no challenge of its own")
    try:
        talk.send(answer(authkey, message.removeprefix(CHALLENGE)))
    except ValueError as error:
        raise _Refused(f"the client sent {error}") from None
    if talk.receive() != WELCOME:
        raise _Refused("the client did not take our response for right")


class _Talk:
    """Messages with their size before them, until a deadline."""

    def __init__(self, request: Any, deadline: float) -> None:
        self._request = request
        self._deadline = deadline

    def send(self, message: bytes) -> None:
        self._wait()
        self._request.sendall(len(message).to_bytes(4, "big", signed=True) + message)

    def receive(self) -> bytes:
        size = int.from_bytes(self._exactly(4), "big", signed=True)
        if not 0 <= size <= LONGEST:
            raise _Refused(f"the client sent something else than a response: a message of {size} bytes")
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            self._wait()
            more = self._request.recv(size - len(data))
            if not more:
                raise _Refused("the client left before it had shown that it knows the secret")
            data += more
        return data

    def _wait(self) -> None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._request.settimeout(left)


def _digest(authkey: bytes, message: bytes, name: str) -> bytes:
    import hmac

    return hmac.new(authkey, message, name).digest()
