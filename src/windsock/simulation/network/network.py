"""A network in memory: hosts with names and addresses, and links between them. It never blocks and has no clock."""

from __future__ import annotations

import errno
import re
from socket import EAI_NONAME, gaierror  # an error that tools do not replace

from windsock.errors import UsageError
from windsock.net.system import socket
from windsock.simulation.network.failure import failure
from windsock.simulation.network.host import LOOPBACK, Host
from windsock.simulation.network.links.link import Link
from windsock.simulation.network.links.links import Links
from windsock.simulation.network.simulated_socket import SimulatedSocket
from windsock.simulation.network.timers import Timers
from windsock.simulation.network.unix.files import FilesInMemory, SocketFiles
from windsock.simulation.network.unix.names import UnixNames

__all__ = ["Network"]

NAME = re.compile(r"[\w-]+(\.[\w-]+)*")


class Network:
    """All hosts of a simulation. `localhost` is there from the start; sockets belong to it unless a host makes them.

    `files` is where the names of Unix sockets are; by default a table in memory. `seed` is that of faults on links.
    """

    def __init__(self, timers: Timers, files: SocketFiles | None = None, *, seed: int = 0) -> None:
        self.links: Links = Links(timers, seed)
        self.unix_names: UnixNames = UnixNames(FilesInMemory() if files is None else files)
        self._hosts: dict[str, Host] = {}
        self.localhost: Host = self.host("localhost")

    def host(self, name: str) -> Host:
        """Return the host of a name; add it if it is not there. Names are the same in upper and lower case.

        Raises UsageError for an address, and for what cannot be a name.
        """
        key = key_of(name)
        if not NAME.fullmatch(key) or key.replace(".", "").isdigit():
            raise UsageError(f"host({name!r}): expected the name of a host, such as 'db.internal'")
        if key not in self._hosts:
            number = len(self._hosts) + 1
            self._hosts[key] = Host(self, name, (f"10.0.{number >> 8}.{number & 255}", f"fd00::{number:x}"))
        return self._hosts[key]

    def host_at(self, ip: str) -> Host:
        """Return the host that has an address. Raises OSError (ENETUNREACH) if none has."""
        for each in self._hosts.values():
            if ip in each.addresses:
                return each
        raise failure(errno.ENETUNREACH)

    def socket(self, family: int, kind: int, proto: int = 0) -> SimulatedSocket:
        """Return a new socket of localhost."""
        return self.localhost.socket(family, kind, proto)

    def socketpair(self, family: int, kind: int, proto: int = 0) -> tuple[SimulatedSocket, SimulatedSocket]:
        """Return two connected Unix sockets of localhost."""
        return self.localhost.socketpair(family, kind, proto)

    # --- names

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of a name, IPv4 first. Raises gaierror (EAI_NONAME) if no host has the name."""
        key = key_of(name)
        if key == "localhost":
            return tuple(LOOPBACK.values())
        if key not in self._hosts:
            raise gaierror(EAI_NONAME, "Name or service not known")
        return self._hosts[key].addresses

    def ip_of(self, name: str, family: int) -> str:
        """Return the address of a name for a family."""
        is_v6 = family == socket.AF_INET6
        return next(each for each in self.addresses(name) if (":" in each) == is_v6)

    # --- links

    def link(self, first: Host, second: Host) -> Link:
        """Return the link between two hosts, or of a host to itself."""
        return self.links.between(first.name, second.name)


def key_of(name: str) -> str:
    """Return a name as names are compared: in lower case, without a dot at the end."""
    return name.lower().removesuffix(".")
