"""The challenge and response over trio streams, for async handlers."""

from __future__ import annotations

import contextlib
from typing import Any

import trio

from windsock.security.authkey import conversation, saying_why
from windsock.security.trio.errors import cause_of

__all__ = ["authenticate"]


async def authenticate(stream: Any, authkey: bytes, seconds: float) -> str:
    """Challenge the client and answer its challenge; return why it is refused, or "" if it is accepted."""
    talk = conversation(authkey)
    with saying_why(seconds) as reasons:
        try:
            with trio.fail_after(seconds), contextlib.suppress(StopIteration):
                step = next(talk)
                while True:
                    step = talk.send(await _take(stream, step))
        except trio.TooSlowError:
            raise TimeoutError("timed out") from None
        except trio.BrokenResourceError as error:
            raise cause_of(error) or ConnectionAbortedError("the stream broke") from error
    return "".join(reasons)


async def _take(stream: Any, step: bytes | int) -> bytes:
    """Carry out one step of a conversation: receive or send."""
    if isinstance(step, int):
        return bytes(await stream.receive_some(step))
    await stream.send_all(step)
    return b""
