"""Exceptions on their way from a forked child to its parent."""

from __future__ import annotations

import pickle
import traceback

from windsock.errors import WindsockError, text_of
from windsock.recording.errors import HandlerFailed, RemoteTraceback

__all__ = ["pack", "unpack"]


def pack(error: BaseException) -> bytes:
    """Return the exception and its traceback's text as bytes; one that can't be pickled is named instead."""
    text = "".join(traceback.format_exception(error))
    for make in (_whole, _in_parts, _in_words):
        try:
            parcel = pickle.dumps((*make(error), text))
            if text_of(unpack(parcel)) == text_of(error):
                return parcel
        except Exception:  # whatever an exception's own methods may raise
            continue
    return pickle.dumps((HandlerFailed(f"{type(error).__name__}: {text_of(error)}"), {}, text))


def _whole(error: BaseException) -> tuple[object, dict[str, object]]:
    return error, {}


def _in_parts(error: BaseException) -> tuple[object, dict[str, object]]:
    """For a class whose constructor takes something else than `args`, as pickle would have it."""
    return (type(error), error.args), vars(error)


def _in_words(error: BaseException) -> tuple[object, dict[str, object]]:
    """For one of ours whose facts can't be pickled (a script's lambda): its class, and what it says."""
    if not isinstance(error, WindsockError):
        raise TypeError(type(error))
    return (type(error), (str(error),)), {}


def unpack(parcel: bytes) -> BaseException:
    """Return the exception, with the child's traceback as its cause."""
    what, state, text = pickle.loads(parcel)
    error: BaseException = what if isinstance(what, BaseException) else what[0].__new__(what[0], *what[1])
    vars(error).update(state)
    error.__cause__ = RemoteTraceback(text)
    return error
