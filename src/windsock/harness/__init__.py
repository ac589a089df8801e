"""One server in a test: started, recorded, connected to, stopped."""

from windsock.harness import conclusions  # noqa: F401  # which all servers and proxies use
from windsock.harness.checkpoints import Checkpoint
from windsock.harness.running import RunningServer
from windsock.harness.serving import serving
from windsock.harness.thread_pool import ThreadPool
from windsock.options.combinations import CONCURRENCIES, TRANSPORTS, Unsupported
from windsock.options.combine import combine
from windsock.options.listeners import StartError
from windsock.options.server_options import OPTION_NAMES, Options

__all__ = [
    "CONCURRENCIES",
    "OPTION_NAMES",
    "TRANSPORTS",
    "Checkpoint",
    "Options",
    "RunningServer",
    "StartError",
    "ThreadPool",
    "Unsupported",
    "combine",
    "serving",
]
