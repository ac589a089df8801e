"""Exceptions on their way from a forked child to its parent."""

from __future__ import annotations

import pickle
import traceback

from windsock.recording.errors import HandlerFailed, RemoteTraceback

__all__ = ["pack", "unpack"]


def pack(error: BaseException) -> bytes:
    """Return the exception and its traceback's text as bytes; one that can't be pickled is named instead."""
    text = "".join(traceback.format_exception(error))
    try:
        parcel = pickle.dumps((error, text))
        pickle.loads(parcel)
    except Exception:
        return pickle.dumps((HandlerFailed(f"{type(error).__name__}: {error}"), text))
    return parcel


def unpack(parcel: bytes) -> BaseException:
    """Return the exception, with the child's traceback as its cause."""
    error: BaseException
    error, text = pickle.loads(parcel)
    error.__cause__ = RemoteTraceback(text)
    return error
