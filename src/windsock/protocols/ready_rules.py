"""What ready sets of rules have in common: they keep a state in this process, by connection. No I/O."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError
from windsock.net.system import threading

__all__ = ["AnsweredConnection", "check_keeps_state"]


class AnsweredConnection:
    """The connection whose message is being answered, by the thread: `connections=here.note` of a rule."""

    def __init__(self) -> None:
        self._indexes: dict[int, int] = {}

    def note(self, connection: int) -> bool:
        """Note the connection whose message this thread matches and answers next; return True."""
        self._indexes[threading.get_ident()] = connection
        return True

    @property
    def index(self) -> int:
        """The index of that connection; -1 without one."""
        return self._indexes.get(threading.get_ident(), -1)


def check_keeps_state(call: str, server: Any) -> None:
    """Raise UsageError if the server forks: a child does not share the state."""
    if getattr(getattr(server, "options", None), "concurrency", "") == "forking":
        raise UsageError(f"{call}: a child of a forking server has a memory of its own; use another concurrency")
