"""The addresses of packets: real ones, and loopback addresses that stand for Unix sockets.

Unix sockets are shown as UDP or TCP on loopback addresses that nothing else uses as a rule:

- the sockets of servers and proxies are 127.0.0.2, ports 60001, 60002, ..., in the order of the capture;
- their clients are 127.0.0.3, ports 60001, 60002, ...: a port for each connection, and for each name that datagrams
  come from; after 4,999 ports it goes on with 127.0.0.4;
- datagrams of sockets without a name come from 127.0.0.3, port 60000.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeAlias

from windsock.captures.packets import NetworkAddress
from windsock.net.addresses import Address, plain

__all__ = ["Hosts"]

CLIENT_MAC, SERVER_MAC = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"
"""Locally administered."""
UNIX_SERVERS = IPv4Address("127.0.0.2")
UNIX_CLIENTS = IPv4Address("127.0.0.3")
FIRST_PORT = 60001
PORTS = 4999
"""Ports of each address, from the first one on: few protocols are at home there."""
LOOPBACK: dict[int, IPv4Address | IPv6Address] = {4: IPv4Address("127.0.0.1"), 6: IPv6Address("::1")}

IP: TypeAlias = IPv4Address | IPv6Address


class Hosts:
    """Knows where the packets of one capture come from and go to."""

    def __init__(self) -> None:
        self._servers: dict[Address, int] = {}
        self._clients: dict[Address, int] = {}
        self._clients_seen = 0

    def add_server(self, address: Address) -> None:
        """Give a Unix socket that a server listens on its port."""
        if not isinstance(address, tuple):
            self._servers.setdefault(plain(address), len(self._servers))

    def between(
        self, peer: Address, server: Address, *, is_datagram: bool = False
    ) -> tuple[NetworkAddress, NetworkAddress]:
        """Return the addresses of a client and of the server that it talks to."""
        client_ip, client_port = _ip_of(peer) or self._unix_client(plain(peer), is_datagram=is_datagram)
        server_ip, server_port = _ip_of(server, client_ip.version) or self._unix_server(server)
        client_ip, server_ip = _one_family(client_ip, server_ip)
        return (
            NetworkAddress(CLIENT_MAC, client_ip.packed, client_port),
            NetworkAddress(SERVER_MAC, server_ip.packed, server_port),
        )

    def _unix_server(self, address: Address) -> tuple[IP, int]:
        self.add_server(address)
        return UNIX_SERVERS, FIRST_PORT + self._servers[plain(address)] % PORTS

    def _unix_client(self, name: Address, *, is_datagram: bool) -> tuple[IP, int]:
        if name is None and is_datagram:
            return UNIX_CLIENTS, FIRST_PORT - 1
        number = self._clients.get(name, self._clients_seen)
        if number == self._clients_seen:
            self._clients_seen += 1
            if name is not None and is_datagram:
                self._clients[name] = number
        return UNIX_CLIENTS + number // PORTS, FIRST_PORT + number % PORTS


def _ip_of(address: Any, version: int = 4) -> tuple[IP, int] | None:
    """Return the IP address and the port; a loopback address for a name, or for "any address of this machine"."""
    if not isinstance(address, tuple) or len(address) < 2:
        return None
    host, port = address[:2]
    try:
        found: IP = ip_address(str(host).partition("%")[0])
    except ValueError:
        return LOOPBACK[version], port
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return (LOOPBACK[version] if found.is_unspecified else found), port


def _one_family(first: IP, second: IP) -> tuple[IP, IP]:
    if first.version == second.version:
        return first, second
    return _as_v6(first), _as_v6(second)


def _as_v6(address: IP) -> IP:
    return address if address.version == 6 else IPv6Address(f"::ffff:{address}")
