"""Checks of a script for a fake: its server must be able to take each step."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError
from windsock.fakes.replies import checked_script
from windsock.net.records import SEQPACKET
from windsock.scripts import ExpectUrgent, Script, StartTLS, StopTLS, Urgent

__all__ = ["check_playable", "check_tls_step"]


def check_playable(method: str, script: Script, server: Any, *, is_datagram: bool, has_to_end: bool = False) -> None:
    """Raise UsageError if the fake of this server cannot play a script."""
    is_record = getattr(server, "socket_type", None) == SEQPACKET
    checked_script(method, script).check(is_datagram=is_datagram, is_record=is_record, has_to_end=has_to_end)
    begins_with_tls = getattr(server, "begins_with_tls", False)
    for number, step in enumerate(script.steps, 1):
        if isinstance(step, StartTLS | StopTLS):
            check_tls_step(f"step {number}, {step.text}", step, server, is_in_tls=begins_with_tls)
            begins_with_tls &= isinstance(step, StartTLS)
        elif isinstance(step, Urgent | ExpectUrgent) and begins_with_tls:
            remedy = f"use {'send' if isinstance(step, Urgent) else 'expect'}(), or pass tls='starttls'"
            raise UsageError(f"step {number}, {step.text}: TLS has no urgent data; {remedy}")


def check_tls_step(where: str, step: StartTLS | StopTLS, server: Any, *, is_in_tls: bool) -> None:
    """Raise UsageError if a server cannot start or end TLS at this step."""
    if not hasattr(server, "start_tls"):
        raise UsageError(f"{where}: this server does not speak TLS; pass tls='starttls'")
    if isinstance(step, StopTLS):
        return
    if is_in_tls:
        raise UsageError(f"{where}: this server speaks TLS from the first byte; pass tls='starttls'")
    if step.context is not None or step.server_hostname is not None:
        raise UsageError(f"{where}: a server has a context of its own; leave context= and server_hostname= out")
