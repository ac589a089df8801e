"""The events of poll(2) as plain integers, with the values of Linux."""

from __future__ import annotations

from windsock.net.system import select

__all__ = ["ERR", "HUP", "IN", "OUT", "PRI", "RDHUP"]

IN, PRI, OUT = int(select.POLLIN), int(select.POLLPRI), int(select.POLLOUT)
ERR, HUP = int(select.POLLERR), int(select.POLLHUP)
RDHUP = int(getattr(select, "POLLRDHUP", 0x2000))
