"""Real programs in a test: started on a free address, ready when that returns, stopped with all their children."""

from windsock.programs.entrance import real_server
from windsock.programs.errors import ProgramEnded, ProgramError, ProgramMissing, ProgramNotReady, ProgramStuck
from windsock.programs.keywords import ProgramKeywords
from windsock.programs.output import ProgramOutput
from windsock.programs.running import RealServer

__all__ = [
    "ProgramEnded",
    "ProgramError",
    "ProgramKeywords",
    "ProgramMissing",
    "ProgramNotReady",
    "ProgramOutput",
    "ProgramStuck",
    "RealServer",
    "real_server",
]
