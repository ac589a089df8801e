"""One tree of errors, split by blame: the test's author, the peer, or a wait in vain."""

from __future__ import annotations

import errno
from collections.abc import Iterable

__all__ = [
    "NotInstalled",
    "PeerError",
    "RecordingFailed",
    "StillRunning",
    "UnknownKeyword",
    "UnsupportedInterpreter",
    "UsageError",
    "WaitTimeout",
    "WindsockError",
    "text_of",
    "visible",
    "whole",
]


def text_of(error: BaseException) -> str:
    """Return the text of an error, or its repr if that fails, as with bytes in python -bb."""
    for say in (str, repr):
        try:
            return say(error)
        except Exception:  # whatever an exception's own methods may raise
            continue
    return "(its text cannot be made)"


def visible(text: str, but: str = "") -> str:
    """Return text in which control characters, lone surrogates and other invisible characters are escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in but else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def whole(seconds: float, *, is_cut: bool) -> str:
    """Return a wait in words: as long as it was asked for, and whether the end of the test's time has cut it short."""
    return f"{seconds:.6g} s{' (cut short: the time of the test is over)' if is_cut else ''}"


class WindsockError(Exception):
    """Base of every error that windsock itself raises."""


class UsageError(WindsockError, ValueError):
    """You: a value that cannot work. Shows the value, what was expected, and the way out."""


class NotInstalled(UsageError):
    """An optional library is needed and not installed. Says how to install it."""


class UnsupportedInterpreter(UsageError, ImportError):
    """You: windsock does not run on this operating system or interpreter. Says what it runs on."""


class UnknownKeyword(UsageError, TypeError):
    """You: a keyword that a function does not take. `call` is the function, `name` the keyword."""

    def __init__(self, call: str, name: str, known: Iterable[str]) -> None:
        from difflib import get_close_matches  # for failures alone

        self.call = call
        self.name = name
        similar = get_close_matches(name, known, n=1)
        hint = f"; did you mean {similar[0]!r}?" if similar else ""
        super().__init__(f"{call}() got an unexpected keyword argument {name!r}{hint}")


class PeerError(WindsockError):
    """They: the other end did not do what the test expected."""


class WaitTimeout(WindsockError, TimeoutError):
    """A wait ended at its deadline. The message shows what was waited for, and what came instead.

    `is_cut`: the test had less time left than the wait asked for, and that is over.
    """

    is_cut = False


class StillRunning(WaitTimeout):
    """Something did not end before its deadline.

    `what` names each request, thread or process that is still running.
    """

    def __init__(self, waited_for: str, seconds: float, what: list[str], *, is_cut: bool = False) -> None:
        self.waited_for = waited_for
        self.seconds = seconds
        self.what = what
        self.is_cut = is_cut
        running = "; ".join(what) or "nothing that could be named"
        super().__init__(f"{waited_for} did not end within {whole(seconds, is_cut=is_cut)}, still running: {running}")


class RecordingFailed(WindsockError):
    """The recording failed: its file cannot be created or written.

    `directory` is where the file would be, `cause` is the error of the system.
    """

    def __init__(self, what: str, directory: str, cause: OSError) -> None:
        self.what = what
        self.directory = directory
        self.cause = cause
        super().__init__(f"{what} in the temporary directory {directory}: {cause}; {_remedy(cause, directory)}")


def _remedy(cause: OSError, directory: str) -> str:
    if cause.errno in (errno.EMFILE, errno.ENFILE):
        return "close files, or raise the limit of open ones (ulimit -n)"
    if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"make room in {directory}, or set TMPDIR to a directory with more of it"
    return "set TMPDIR to a directory that can be written to"
