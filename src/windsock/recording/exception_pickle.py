"""Pickled exceptions, from a forked child to its parent.

A parent may be unable to unpickle what a child can: a class may be from a module that only the child has. So each
pickle includes text, for a parent that cannot have the exception.
"""

from __future__ import annotations

import contextlib
import pickle
import re
import traceback
from types import TracebackType

from windsock.errors import WindsockError, text_of
from windsock.net.system import os
from windsock.recording.errors import HandlerFailed, RemoteTraceback

__all__ = ["from_handler_on", "in_short", "pack", "unpack", "without_our_frames"]

MOST_FRAMES = 3
"""Frames of a handler's traceback that stand beside another failure."""
FRAME = re.compile(r'^( *)File "(.*)", line \d+, in .*\n(?:\1 .*\n)*', re.MULTILINE)
"""A frame in the text of a traceback."""
OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep


def pack(error: BaseException) -> bytes:
    """Return the exception as bytes, with its text and the text of its traceback."""
    words = _words(error)
    text = "".join(traceback.format_exception(type(error), error, from_handler_on(error.__traceback__)))
    for make in (_whole, _in_parts, _in_words):
        try:
            parcel = pickle.dumps(make(error))
            if text_of(_open(parcel)) == text_of(error):
                return pickle.dumps((parcel, words, text))
        except Exception:  # whatever an exception's own methods may raise
            continue
    return pickle.dumps((b"", words, text))


def unpack(packed: bytes) -> BaseException:
    """Return the exception, with the child's traceback as its cause; HandlerFailed if it does not unpickle here."""
    parcel, words, text = pickle.loads(packed)
    try:
        error = _open(parcel)
    except Exception:  # as above
        error = HandlerFailed(words)
    error.__cause__ = RemoteTraceback(text)
    return error


def from_handler_on(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback without the frames at its start that lead to the handler; all if it has no others."""
    rest = trace
    while rest is not None and _leads_to_handler(rest.tb_frame.f_globals.get("__name__", "")):
        rest = rest.tb_next
    return rest or trace


def _leads_to_handler(module: str) -> bool:
    return module.startswith("windsock.") or module == "socketserver"


def without_our_frames(text: str) -> str:
    """Return the text of a traceback without our frames; empty if it has no others."""
    cut = FRAME.sub(lambda match: "" if match[2].startswith(OURS) else match[0], text)
    return cut if FRAME.search(cut) else ""


def _whole(error: BaseException) -> object:
    return error, {}


def _in_parts(error: BaseException) -> object:
    """Reduce an exception whose constructor does not take its `args`, in pickle's format."""
    return (type(error), error.args), vars(error)


def _in_words(error: BaseException) -> object:
    """Reduce one of our exceptions with unpicklable fields (a script's lambda) to its class and text."""
    if not isinstance(error, WindsockError):
        raise TypeError(type(error))
    return (type(error), (str(error),)), {}


def _open(parcel: bytes) -> BaseException:
    """Return the exception. Raises whatever its own methods raise."""
    what, state = pickle.loads(parcel)
    error = what if isinstance(what, BaseException) else what[0].__new__(what[0], *what[1])
    vars(error).update(state)
    if not isinstance(error, BaseException):
        raise TypeError(type(error))
    with contextlib.suppress(BytesWarning):  # python -bb: see text_of
        str(error)  # an exception without a working str() would end the code that reports it
    return error


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except BytesWarning:
        return f"{type(error).__name__}: {text_of(error)}"
    except Exception:  # as above
        return f"{type(error).__name__} (its __str__ raises)"


def in_short(error: BaseException) -> str:
    """Return an error's class and text, and the last lines of its traceback from the handler on, which may be none."""
    if isinstance(error.__cause__, RemoteTraceback):
        lines = without_our_frames(str(error.__cause__)).strip().splitlines()[1:-1][-2 * MOST_FRAMES :]
    else:
        frames = traceback.format_tb(from_handler_on(error.__traceback__))
        lines = "".join([each for each in frames if without_our_frames(each)][-MOST_FRAMES:]).splitlines()
    notes = [each for each in map(str, getattr(error, "__notes__", ())) if not each.startswith("windsock: ")]
    text = "\n".join([f"{type(error).__name__}: {text_of(error)}", *notes]).replace("\n", "\n  ")
    return text + "".join(f"\n  {line}" for line in lines)
