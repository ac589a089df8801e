"""A network in memory: hosts, links and sockets as Linux has them. No threads, no clock, no kernel socket."""

from windsock.simulation.network.host import Host
from windsock.simulation.network.network import Network
from windsock.simulation.network.simulated_socket import SimulatedSocket
from windsock.simulation.network.timers import Timers
from windsock.simulation.network.unix.files import FilesInMemory, SocketFiles

__all__ = ["FilesInMemory", "Host", "Network", "SimulatedSocket", "SocketFiles", "Timers"]
