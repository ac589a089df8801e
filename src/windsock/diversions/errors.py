"""The error of a connection to a place that no diversion names."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence

from windsock.errors import WindsockError
from windsock.net import addresses

__all__ = ["NotDiverted", "failure_of", "related"]


class NotDiverted(WindsockError, ConnectionRefusedError):
    """A diversion with others="refuse" refused a connection, a datagram, or the lookup of a name.

    `host` and `port` are what was asked for (`port` is None if a lookup did not say); `place` is the line of the test's
    own code that led to it.
    """

    def __init__(self, host: str, port: int | None, place: str) -> None:
        self.host = host
        self.port = port
        self.place = place
        shown = host if port is None else addresses.show((host, port))
        where = f"\n  at {place}" if place else ""
        super().__init__(f'{shown} is not diverted, and others="refuse"; add {shown!r}: server to divert(){where}')
        self.errno = errno.ECONNREFUSED

    def __reduce__(self) -> tuple[type[NotDiverted], tuple[str, int | None, str]]:
        return type(self), self.key

    @property
    def key(self) -> tuple[str, int | None, str]:
        """What equal refusals have in common: host, port and place."""
        return self.host, self.port, self.place


def failure_of(refused: Sequence[NotDiverted]) -> Exception:
    """Return one exception for all of them, of which there is at least one."""
    if len(refused) == 1:
        return refused[0]
    return ExceptionGroup("connections that are not diverted were refused", refused)


def related(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, those that it contains, and those that led to it."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
