"""The server's part of multiprocessing.connection's challenge and response, as of Python 3.11."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterator
from typing import Any, TypeAlias

from windsock.net.deadlines import capped
from windsock.net.system import monotonic, os

__all__ = ["answer", "authenticate", "conversation", "is_right", "saying_why"]

CHALLENGE, WELCOME, FAILURE = b"#CHALLENGE#", b"#WELCOME#", b"#FAILURE#"
LONGEST = 256
"""The most bytes that a message of this protocol may have."""
NONCE = 40
OLD_NONCE = 20
"""The size of a challenge before Python 3.12, which has no name of a digest and is answered with MD5."""
OLD_DIGEST = 16
DIGESTS = ("md5", "sha256", "sha384", "sha3_256", "sha3_384")
NAMED = re.compile(rb"\{([a-z0-9_]+)\}", re.ASCII)


class Refused(Exception):
    """Raised when the client has not shown that it knows the secret; the text says why."""


def answer(authkey: bytes, challenge: bytes) -> bytes:
    """Return the response that shows that we know the key.

    Raises ValueError for a challenge that names an unknown digest or is too short to be safe.
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
    """Return whether the response shows that the other end knows the key. Compares in constant time."""
    import hmac

    found = NAMED.match(response) if len(response) != OLD_DIGEST else None
    name = found[1].decode() if found else "md5"
    if name not in DIGESTS:
        return False
    named = found[0] if found else b""
    return hmac.compare_digest(named + _digest(authkey, challenge, name), response)


def authenticate(request: Any, authkey: bytes, seconds: float) -> str:
    """Challenge the client and answer its challenge; return why it is refused, or "" if it is accepted."""
    before = request.gettimeout()
    deadline = monotonic() + seconds
    talk = conversation(authkey)
    with saying_why(seconds) as reasons:
        try:
            step = next(talk)
            while True:
                left = deadline - monotonic()
                if left <= 0:
                    raise TimeoutError("timed out")
                request.settimeout(capped(left))
                step = talk.send(_take(request, step))
        except StopIteration:
            pass
        finally:
            with contextlib.suppress(OSError):
                request.settimeout(before)
    return "".join(reasons)


def _take(request: Any, step: bytes | int) -> bytes:
    """Carry out one step of a conversation: receive or send."""
    if isinstance(step, int):
        data: bytes = request.recv(step)
        return data
    request.sendall(step)
    return b""


@contextlib.contextmanager
def saying_why(seconds: float) -> Iterator[list[str]]:
    """Yield a list, and add to it why the client is refused; `seconds` is the time limit, for the text."""
    reasons: list[str] = []
    try:
        yield reasons
    except Refused as why:
        reasons.append(str(why))
    except TimeoutError:
        reasons.append(f"the client did not answer within {seconds:g} s")
    except OSError as error:
        reasons.append(f"the client left: {error.strerror or error}")


Conversation: TypeAlias = Generator[bytes | int, bytes, Any]


def conversation(authkey: bytes) -> Conversation:
    """Yield the steps: bytes to send, or the most bytes to receive, which are then sent in (none: the end).

    Raises Refused. Does no I/O of its own.
    """
    yield from _check(authkey)
    yield from _be_checked(authkey)


def _check(authkey: bytes) -> Conversation:
    challenge = b"{sha256}" + os.urandom(NONCE)
    yield _framed(CHALLENGE + challenge)
    response = yield from _message()
    if not is_right(authkey, challenge, response):
        yield _framed(FAILURE)
        raise Refused("the client's response does not match the secret")
    yield _framed(WELCOME)


def _be_checked(authkey: bytes) -> Conversation:
    message = yield from _message()
    if not message.startswith(CHALLENGE):
        raise Refused("the client sent no challenge of its own")
    try:
        response = answer(authkey, message.removeprefix(CHALLENGE))
    except ValueError as error:
        raise Refused(f"the client sent {error}") from None
    yield _framed(response)
    verdict = yield from _message()
    if verdict != WELCOME:
        raise Refused("the client did not accept the server's response")


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big", signed=True) + message


def _message() -> Conversation:
    head = yield from _exactly(4)
    size = int.from_bytes(head, "big", signed=True)
    if not 0 <= size <= LONGEST:
        raise Refused(f"the client sent something other than a response: a message of {size} bytes")
    return (yield from _exactly(size))


def _exactly(size: int) -> Conversation:
    data = b""
    while len(data) < size:
        more = yield size - len(data)
        if not more:
            raise Refused("the client left before it had shown that it knows the secret")
        data += more
    return data


def _digest(authkey: bytes, message: bytes, name: str) -> bytes:
    import hmac

    return hmac.new(authkey, message, name).digest()
