"""What goes wrong on purpose: faults look at what passes and decide its fate. No I/O, no clock, no threads."""

from windsock.faults.chain import Chain
from windsock.faults.fault import Fault
from windsock.faults.installed import Firing, Installed
from windsock.faults.selector import First, Met, Selector, first
from windsock.faults.weather import Weather

__all__ = ["Chain", "Fault", "Firing", "First", "Installed", "Met", "Selector", "Weather", "first"]
