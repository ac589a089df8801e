"""PeerCredentialsMixIn: access control by the user and group that the kernel reports."""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Any, NamedTuple

from windsock.errors import UsageError
from windsock.net.system import platform, socket

__all__ = ["PeerCredentials", "PeerCredentialsMixIn"]

UCRED = struct.Struct("iII")
"""struct ucred (unix(7)): pid, uid, gid."""
XUCRED = struct.Struct("IIh2x16I")
"""struct xucred (macOS, sys/ucred.h): version, uid, number of groups, groups, of which the first is the gid."""
XUCRED_VERSION = 0
SOL_LOCAL, LOCAL_PEERCRED, LOCAL_PEERPID = 0, 1, 2
"""macOS, sys/un.h."""


class PeerCredentials(NamedTuple):
    """The process at the other end of a Unix socket, as it was when it connected."""

    pid: int
    uid: int
    gid: int


class PeerCredentialsMixIn:
    """Accepts requests from some users' processes only. Comes before the mix-in for concurrency.

    For Unix stream sockets on Linux (SO_PEERCRED, unix(7)): the kernel's answer cannot be forged. On macOS it uses
    LOCAL_PEERCRED and LOCAL_PEERPID (sys/un.h), which was tested with a stand-in only.
    `allowed_uids` and `allowed_gids` are numbers (None: all); if both are set, both must match.

    Hooks, in the order in which a request meets them: `verify_request`, then `handle_refused` if that returns False.
    """

    allowed_uids: Collection[int] | None = None
    allowed_gids: Collection[int] | None = None

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether the client's user and group are allowed. May be extended (call super)."""
        who = self.peer_credentials(request)
        for word, number, allowed in (("uid", who.uid, self.allowed_uids), ("gid", who.gid, self.allowed_gids)):
            if allowed is not None and number not in allowed:
                self.handle_refused(request, client_address, f"process {who.pid} has {word} {number}, not allowed")
                return False
        return bool(super().verify_request(request, client_address))  # type: ignore[misc]  # the server class has it

    def handle_refused(self, request: Any, client_address: Any, reason: str) -> None:
        """Called for a request that is turned away. May be overridden. The default does nothing."""

    def peer_credentials(self, request: Any) -> PeerCredentials:
        """Return the process, user and group at the other end of a request.

        Raises UsageError if the kernel does not report them.
        """
        option = getattr(socket, "SO_PEERCRED", None)
        if option is None and platform != "darwin":
            raise UsageError("peer_credentials(): this platform has no SO_PEERCRED")
        if getattr(request, "family", None) != socket.AF_UNIX:
            raise UsageError(
                f"peer_credentials(): {request!r} is not a Unix stream socket, the only kind with credentials"
            )
        if option is None:
            return _of_macos(request)
        return PeerCredentials(*UCRED.unpack(request.getsockopt(socket.SOL_SOCKET, option, UCRED.size)))


def _of_macos(request: Any) -> PeerCredentials:
    answer = request.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, XUCRED.size)
    if len(answer) != XUCRED.size:
        raise UsageError(f"peer_credentials(): LOCAL_PEERCRED gave {len(answer)} bytes, expected {XUCRED.size}")
    version, uid, count, *groups = XUCRED.unpack(answer)
    if version != XUCRED_VERSION or count < 1:
        raise UsageError(f"peer_credentials(): LOCAL_PEERCRED gave version {version} with {count} groups, expected 0")
    return PeerCredentials(request.getsockopt(SOL_LOCAL, LOCAL_PEERPID), uid, groups[0])
