"""From the exception of a failed test to facts: what it says of the network, and which line of the test it left."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator
from itertools import islice

from windsock.errors import WaitTimeout, WindsockError, text_of
from windsock.findings import places
from windsock.findings.facts import Comparison, FailureFacts
from windsock.net import addresses
from windsock.net.async_loops import BlocksLoop
from windsock.net.system import monotonic, socket
from windsock.recording.errors import WHERE
from windsock.scripts import ScriptTimeout

__all__ = ["failure_from"]

MOST = 50
"""Exceptions of a chain or a group that are looked at."""
LONGEST = 4000
"""Characters of a text that are looked at."""
BYTES = r"""b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*\""""
SHORTENED = rf"({BYTES})(?:\.\.\. \((\d+) more\))?"
COMPARED = re.compile(rf"assert {SHORTENED} == {SHORTENED}")
"""A failed comparison, as our plugin puts it."""
LEFT_ENDS = "where the left one ends"
COUNTED = re.compile(r"assert (\d+) == (\d+)\n.*\b\1 = len\(b['\"]")
"""A failed comparison of a length."""
ALIVE = re.compile(r"<Thread\(.*>\.is_alive")
"""What the text of a failed assertion about a thread has."""
TRAFFIC = re.compile(rf"{BYTES}|bytearray\(|<requests?\b|<Connection|<errors: |RecordedRequest|FaultHandle|\bNone\b|''")
"""What the text of a failed assertion has that was about what a server or a client has got."""
ADDRESS = re.compile(r"(\d+\.\d+\.\d+\.\d+|localhost|::1)\W+(?:port=)?(\d+)")
ENDS = re.compile(
    r"closed by|connection closed|closed (the )?connection|unexpectedly closed|without response"
    r"|server disconnected|terminated by server|\bEOF\b",
    re.I,
)
"""What exceptions say of the end of a stream: those of http.client, httpx, aiohttp, smtplib, redis, psycopg, ldap3."""
REFUSALS = re.compile(r"refused|connect call failed|error 111|errno 111", re.I)
BROKEN = {"BrokenResourceError", "ClosedResourceError", "SSLError"}
CUT_SHORT = {"IncompleteRead", "RemoteDisconnected", "SSLEOFError"}
"""Classes of trio, http.client and ssl."""
HANG = re.compile(r"Timeout \(?>")
"""How pytest-timeout's failure begins."""


def failure_from(error: BaseException) -> FailureFacts:
    """Return the facts of an exception, its causes and its members."""
    errors = list(islice(_all_in(error), MOST))
    clients = [each for each in errors if not _is_of_handler(each)]
    text = "\n".join(text_of(each)[:LONGEST] for each in errors)
    notes = "\n".join(note for each in errors for note in getattr(each, "__notes__", ()) if isinstance(note, str))
    kinds = frozenset(kind for each in errors for kind in _kinds_of(each))
    compared, counted = _compared(text), COUNTED.search(text)
    if compared is not None and b"" in (compared.left, compared.right):
        kinds |= {"end"}
    return FailureFacts(
        kinds=kinds or frozenset({"other"}),
        names=frozenset(base.__name__ for each in errors for base in type(each).__mro__)
        | frozenset(re.findall(r"\b[A-Z]\w+(?=\()", notes)),
        text=f"{text}\n{notes}",
        compared=compared,
        counted=None if counted is None else (int(counted[1]), int(counted[2])),
        client=next((place for each in clients if (place := places.place_of_error(each))), None),
        has_no_timeout="hang" in kinds and any(map(_has_socket_without_timeout, errors)),
        tried=_tried(errors, text) if "refused" in kinds else "",
        sockets=next((found for each in clients if (found := _sockets(each))), ()),
        waits_in_pool=any(map(_waits_in_pool, clients)),
        at=monotonic(),
    )


def _all_in(error: BaseException | None) -> Iterator[BaseException]:
    """Give an exception, its members and its causes, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
        waiting.append(each.__cause__ or (None if each.__suppress_context__ else each.__context__))


def _kinds_of(error: BaseException) -> Iterator[str]:
    """Give words for what an exception says.

    "timeout", "hang", "reset", "refused", "end" (of a stream), "short" (a message), "missing" (a path), "ours",
    "traffic" (a failed assertion about it), "not raised", "error".
    """
    names = {each.__name__ for each in type(error).__mro__}
    text = text_of(error)[:LONGEST]
    if _is_of_handler(error):
        yield from ["ours"] if isinstance(error, WindsockError) else []
        return
    if isinstance(error, WaitTimeout) and not isinstance(error, ScriptTimeout):
        yield "ours"  # it was not a client that waited
        return
    if isinstance(error, BlocksLoop):
        return  # nothing was waited for
    yield from _kinds_of_network(error, names, text)
    if isinstance(error, AssertionError):
        yield from ["traffic"] if TRAFFIC.search(text) else []
        yield from ["thread"] if ALIVE.search(text) else []
    elif type(error).__name__ == "Failed":  # pytest.fail() and its like
        yield from ("timeout", "hang") if HANG.match(text) else []
        yield from ["not raised"] if "DID NOT RAISE" in text else []
    elif isinstance(error, WindsockError):
        yield "ours"
    elif isinstance(error, OSError | ValueError) or type(error).__module__ != "builtins":
        yield "error"  # such as an answer that cannot be read; a KeyError or a RuntimeError says nothing of the network


def _is_of_handler(error: BaseException) -> bool:
    """Return whether it is an exception of a handler, which says nothing of the client."""
    return any(isinstance(note, str) and note.startswith(WHERE) for note in getattr(error, "__notes__", ()))


def _kinds_of_network(error: BaseException, names: set[str], text: str) -> Iterator[str]:
    if isinstance(error, TimeoutError) or any("Timeout" in each or each == "TooSlowError" for each in names):
        yield "timeout"
    if isinstance(error, ConnectionRefusedError) or REFUSALS.search(text):
        yield "refused"
    elif isinstance(error, ConnectionError) or not BROKEN.isdisjoint(names):
        yield "reset"
    if isinstance(error, EOFError) or not CUT_SHORT.isdisjoint(names) or ENDS.search(text):
        yield "end"
    if not names.isdisjoint(("IncompleteRead", "IncompleteReadError")):
        yield "short"
    if isinstance(error, FileNotFoundError):
        yield "missing"


def _compared(text: str) -> Comparison | None:
    found = COMPARED.search(text)
    if found is None:
        return None
    left, right = ast.literal_eval(found[1]), ast.literal_eval(found[3])
    left_size, right_size = len(left) + int(found[2] or 0), len(right) + int(found[4] or 0)
    begins = right.startswith(left) and 0 < left_size < right_size
    is_known = (len(left), len(right)) == (left_size, right_size) or LEFT_ENDS in text
    return Comparison(left, right, left_size, right_size, begins and is_known)


def _sockets(error: BaseException) -> tuple[str, ...]:
    """Return the own addresses of the sockets of the innermost frame that has any; "" is one that is closed."""
    for frame, _ in places.frames_of(error):
        found = {each for each in list(frame.f_locals.values()) if isinstance(each, socket.socket)}
        if found:
            return tuple(map(_own_address, found))
    return ()


def _own_address(connected: socket.socket) -> str:
    with contextlib.suppress(OSError):
        own = connected.getsockname()
        return addresses.show(own) if own else ""
    return ""


def _waits_in_pool(error: BaseException) -> bool:
    """Return whether a task of a thread pool has waited for the result of another one."""
    calls = [(frame.f_globals.get("__name__"), frame.f_code.co_name) for frame, _ in places.frames_of(error)]
    waits, runs = ("concurrent.futures._base", "result"), ("concurrent.futures.thread", "run")
    return isinstance(error, TimeoutError) and waits in calls and runs in calls[calls.index(waits) :]


def _has_socket_without_timeout(error: BaseException) -> bool:
    """Return whether a frame of the user's holds a socket that waits for ever."""
    values = [
        value for frame, _ in places.user_frames(places.frames_of(error)) for value in list(frame.f_locals.values())
    ]
    return any(isinstance(each, socket.socket) and each.gettimeout() is None for each in values)


def _tried(errors: list[BaseException], text: str) -> str:
    """Return where a client wanted to connect to, as far as its exception tells."""
    for error in errors:
        for frame, _ in places.frames_of(error):
            if frame.f_code.co_name == "create_connection" and "address" in frame.f_locals:
                return addresses.show(frame.f_locals["address"])
    found = ADDRESS.search(text)
    return "" if found is None else f"{found[1]}:{found[2]}"
