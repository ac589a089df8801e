"""Names that lead to other addresses inside this process: code reaches a fake by the name of the real server."""

from windsock.diversions.diversion import Diversion, Divertible, divert
from windsock.diversions.errors import NotDiverted

__all__ = ["Diversion", "Divertible", "NotDiverted", "divert"]
