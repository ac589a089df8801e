"""Names that lead to other addresses inside this process: the code under test reaches a fake by the name of the real one."""

from windsock.diversions.diversion import Diversion, Divertible, divert
from windsock.diversions.errors import NotDiverted

__all__ = ["Diversion", "Divertible", "NotDiverted", "divert"]
