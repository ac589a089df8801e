"""A check whether a tool (pytest-socket) forbids sockets at the moment."""

from __future__ import annotations

import socket as standard  # the standard library's own, which such tools patch
import warnings

from windsock.errors import UsageError
from windsock.net.system import socket

__all__ = ["SocketsForbidden", "check_allowed"]


class SocketsForbidden(UsageError):
    """A tool forbids the sockets that a server, a proxy or a client needs. Names the tool and how to allow them."""

    def __init__(self, what: str, family: str, tool: str) -> None:
        self.what = what
        self.family = family
        self.tool = tool
        way_out = f"allow them in {tool}"
        if tool == "pytest_socket":
            way_out = "mark the test with @pytest.mark.enable_socket (or use the fixture socket_enabled)"
        if family == "AF_UNIX":
            way_out += ", or pass --allow-unix-socket" if tool == "pytest_socket" else ""
        else:
            way_out += ", or use a Unix transport"
        super().__init__(f"{what}: {tool} forbids {family} sockets here; {way_out}")


def check_allowed(what: str, family: int) -> None:
    """Raise SocketsForbidden if `socket.socket` was replaced by a class that does not create sockets of this family."""
    replaced = standard.socket
    if replaced is socket.socket:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            replaced(family, socket.SOCK_STREAM).close()
    except OSError:  # an error of the system, not a ban
        return
    except Exception as error:
        raise SocketsForbidden(what, socket.AddressFamily(family).name, type(error).__module__) from None
