"""A network and a clock that live in the process: the same test without kernel and without waiting."""

from windsock.simulation.errors import Deadlock, Livelock, NotOfThisWorld, NotSimulated, Standstill
from windsock.simulation.world import World, simulated

__all__ = ["Deadlock", "Livelock", "NotOfThisWorld", "NotSimulated", "Standstill", "World", "simulated"]
