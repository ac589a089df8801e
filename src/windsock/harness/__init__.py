"""One server in a test: started, recorded, connected to, stopped."""

from windsock.harness.combinations import CONCURRENCIES, TRANSPORTS, Unsupported
from windsock.harness.combined import combine
from windsock.harness.crew import Crew
from windsock.harness.listening import StartError
from windsock.harness.options import OPTION_NAMES, Options
from windsock.harness.running import RunningServer
from windsock.harness.serving import serving

__all__ = [
    "CONCURRENCIES",
    "OPTION_NAMES",
    "TRANSPORTS",
    "Crew",
    "Options",
    "RunningServer",
    "StartError",
    "Unsupported",
    "combine",
    "serving",
]
