"""Faults that cannot work around a server: why, and what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.faults import BacklogFull, Fault, FaultHandle, ForkError, Kill, Pause, Resume, ThreadError, TLSAlert
from windsock.faults.never_fired import said
from windsock.protocols.message_pattern import MessagePattern
from windsock.servers.async_handlers import is_async

if TYPE_CHECKING:
    from windsock.options.server_options import Resolved
    from windsock.options.tls_options import Encryption

__all__ = ["check_fault", "why_not_there"]


def check_fault(fault: Fault, server: Any, options: Resolved) -> None:
    """Raise UsageError for a fault that cannot happen to this server."""
    if "process" in fault.applies_to:
        handles_async = is_async(getattr(server, "RequestHandlerClass", None))
        _check_process_fault(fault, options.concurrency, options.name, is_async=handles_async)
    if "handshake" in fault.applies_to:
        _check_handshake_fault(fault, options.encryption, options.name)


def why_not_there(handle: FaultHandle, server: Any, name: str) -> str:
    """Return why a fault cannot act where its selector says; "" if it can."""
    if isinstance(handle.selector.match, MessagePattern) and getattr(server, "begins_with_tls", False):
        return (
            f"faults see the encrypted bytes of the {name}, in which there are no messages; expected a fault of a "
            "proxy at which TLS ends: proxy(server.address, tls=..., upstream_tls=...)"
        )
    if isinstance(handle.fault, BacklogFull) and said(handle.selector):
        return "clients wait before anybody knows them; expected no selector; MaxConnections(n, then='stall') counts"
    return ""


def _check_process_fault(fault: Fault, concurrency: str, name: str, *, is_async: bool) -> None:
    """Raise UsageError for a fault of the process that this server's requests cannot have."""
    if isinstance(fault, ForkError | Pause | Resume | Kill) and concurrency != "forking":
        raise UsageError(
            f"{fault!r}: the {name} is {concurrency!r}, and forks no process for a request; "
            "expected a server with concurrency='forking'"
        )
    if isinstance(fault, ThreadError) and (concurrency not in ("threading", "trio") or is_async):
        what = "has an async handler" if is_async else f"is {concurrency!r}"
        raise UsageError(
            f"{fault!r}: the {name} {what}, and starts no thread for a request; expected a server with "
            "concurrency='threading' (or 'trio' with a blocking handler)"
        )


def _check_handshake_fault(fault: Fault, encryption: Encryption | None, name: str) -> None:
    """Raise UsageError for what cannot happen to this server's handshakes."""
    if encryption is None:
        raise UsageError(f"{fault!r}: the {name} does not speak TLS, so there is no handshake; expected tls=True")
    if isinstance(fault, TLSAlert) and fault.stage == "finished":
        raise UsageError(
            f"{fault!r}: an alert after the handshake is encrypted with keys that Python's ssl keeps to itself; "
            "expected stage='client_hello' or 'server_hello'"
        )
    is_late_alert = isinstance(fault, TLSAlert) and fault.stage == "server_hello"
    if is_late_alert and (encryption.own_context is not None or encryption.minimum_version == "TLSv1.3"):
        raise UsageError(
            f"{fault!r}: in TLS 1.3 an alert behind the server's hello is encrypted with keys that Python's ssl keeps "
            "to itself; expected stage='client_hello', or a server that may speak TLS 1.2"
        )
