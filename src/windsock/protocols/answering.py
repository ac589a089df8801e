"""Which connection's message is being answered: for ready rules that keep a state for each connection. No I/O."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError
from windsock.net.system import threading

__all__ = ["Answering", "check_shares_memory"]


class Answering:
    """The connection whose message this thread is answering: with `on(..., connections=answering.is_here)`."""

    def __init__(self) -> None:
        self._here: dict[int, int] = {}

    def is_here(self, connection: int) -> bool:
        """Note the connection whose message this thread answers next; return True."""
        self._here[threading.get_ident()] = connection
        return True

    @property
    def connection(self) -> int:
        """The index of the connection."""
        return self._here.get(threading.get_ident(), -1)


def check_shares_memory(call: str, server: Any) -> None:
    """Raise UsageError for a server whose handlers have another memory than the test."""
    if getattr(getattr(server, "options", None), "concurrency", "") == "forking":
        raise UsageError(f"{call}: a child of a forking server has a memory of its own; use another concurrency")
