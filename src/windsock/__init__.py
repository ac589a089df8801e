"""Fake and real servers for tests of anything that talks over a socket."""

from typing import TYPE_CHECKING, Any

from windsock.errors import PeerError, RecordingFailed, StillRunning, UsageError, WaitTimeout, WindsockError
from windsock.harness import Checkpoint, RunningServer, StartError, Unsupported, combine, serving
from windsock.net.async_loops import BlocksLoop
from windsock.recording import (
    AsItArrives,
    Chunk,
    Connection,
    ConnectionEnded,
    Connections,
    Delimiter,
    Direction,
    Ending,
    FixedSize,
    FramingError,
    HandlerDied,
    HandlerErrors,
    HandlerFailed,
    LengthPrefix,
    Lines,
    MessageTooLong,
    RecordedRequest,
    RecordMarking,
    RequestMismatch,
    Requests,
    RequestTimeout,
    TruncatedDatagram,
    UntilEof,
)

if TYPE_CHECKING:
    from windsock import faults, protocols, strategies
    from windsock.cassettes import (
        Cassette,
        CassetteError,
        CassetteOutdated,
        CassetteRecorder,
        CassetteVerifier,
        Replay,
        UnmatchedTraffic,
        import_capture,
        record,
        replay,
        verify,
    )
    from windsock.clients.async_client import AsyncioClient, TrioClient
    from windsock.clients.background import Background, ScriptUnfinished
    from windsock.clients.client import ScriptedClient
    from windsock.clients.client_sockets import ConnectFailed
    from windsock.clients.connector import scripted_client
    from windsock.clients.malformed import random_bytes
    from windsock.clients.rpc_client import CallFailed, CallTimeout, RPCClient, rpc_client
    from windsock.clients.summary import CrowdFailed, CrowdMember, CrowdSummary
    from windsock.diversions import Diversion, NotDiverted, divert
    from windsock.endpoints.outcomes import Outcome
    from windsock.exploration.errors import ClientHung, ExplorationFailed
    from windsock.exploration.explore import explore
    from windsock.exploration.search import Exploration
    from windsock.exploration.under import under
    from windsock.fakes.errors import AcceptTimeout, UnexpectedConnection, UnexpectedMessage, Unmet, UnreachableRule
    from windsock.fakes.rules import Rule
    from windsock.faults.never_fired import FaultNeverFired
    from windsock.harness.accepted_peers import AsyncioPeer, ScriptedPeer, TrioPeer
    from windsock.harness.pair import RunningPair, serving_pair
    from windsock.programs import (
        ProgramEnded,
        ProgramError,
        ProgramMissing,
        ProgramNotReady,
        ProgramStuck,
        RealServer,
        real_server,
    )
    from windsock.protocols import rpc
    from windsock.proxies.partition import Partition, partition
    from windsock.proxies.proxy import FaultProxy, proxy
    from windsock.scripts import Script, ScriptMismatch, ScriptTimeout
    from windsock.scripts.bodies import Repeat
    from windsock.scripts.conversation import Conversation
    from windsock.scripts.template import Template
    from windsock.simulation import Deadlock, Livelock, NotOfThisWorld, NotSimulated, Standstill, World, simulated

__all__ = [
    "AcceptTimeout",
    "AsItArrives",
    "AsyncioClient",
    "AsyncioPeer",
    "Background",
    "BlocksLoop",
    "CallFailed",
    "CallTimeout",
    "Cassette",
    "CassetteError",
    "CassetteOutdated",
    "CassetteRecorder",
    "CassetteVerifier",
    "Checkpoint",
    "Chunk",
    "ClientHung",
    "ConnectFailed",
    "Connection",
    "ConnectionEnded",
    "Connections",
    "Conversation",
    "CrowdFailed",
    "CrowdMember",
    "CrowdSummary",
    "Deadlock",
    "Delimiter",
    "Direction",
    "Diversion",
    "Ending",
    "Exploration",
    "ExplorationFailed",
    "FaultNeverFired",
    "FaultProxy",
    "FixedSize",
    "FramingError",
    "HandlerDied",
    "HandlerErrors",
    "HandlerFailed",
    "LengthPrefix",
    "Lines",
    "Livelock",
    "MessageTooLong",
    "NotDiverted",
    "NotOfThisWorld",
    "NotSimulated",
    "Outcome",
    "Partition",
    "PeerError",
    "ProgramEnded",
    "ProgramError",
    "ProgramMissing",
    "ProgramNotReady",
    "ProgramStuck",
    "RPCClient",
    "RealServer",
    "RecordMarking",
    "RecordedRequest",
    "RecordingFailed",
    "Repeat",
    "Replay",
    "RequestMismatch",
    "RequestTimeout",
    "Requests",
    "Rule",
    "RunningPair",
    "RunningServer",
    "Script",
    "ScriptMismatch",
    "ScriptTimeout",
    "ScriptUnfinished",
    "ScriptedClient",
    "ScriptedPeer",
    "Standstill",
    "StartError",
    "StillRunning",
    "Template",
    "TrioClient",
    "TrioPeer",
    "TruncatedDatagram",
    "UnexpectedConnection",
    "UnexpectedMessage",
    "UnmatchedTraffic",
    "Unmet",
    "UnreachableRule",
    "Unsupported",
    "UntilEof",
    "UsageError",
    "WaitTimeout",
    "WindsockError",
    "World",
    "combine",
    "divert",
    "explore",
    "faults",
    "import_capture",
    "partition",
    "protocols",
    "proxy",
    "random_bytes",
    "real_server",
    "record",
    "replay",
    "rpc",
    "rpc_client",
    "scripted_client",
    "serving",
    "serving_pair",
    "simulated",
    "strategies",
    "under",
    "verify",
]

ON_FIRST_USE = {
    "AcceptTimeout": "windsock.fakes.errors",
    "AsyncioClient": "windsock.clients.async_client",
    "AsyncioPeer": "windsock.harness.accepted_peers",
    "Background": "windsock.clients.background",
    "CallFailed": "windsock.clients.rpc_client",
    "CallTimeout": "windsock.clients.rpc_client",
    "Cassette": "windsock.cassettes",
    "CassetteError": "windsock.cassettes",
    "CassetteOutdated": "windsock.cassettes",
    "CassetteRecorder": "windsock.cassettes",
    "CassetteVerifier": "windsock.cassettes",
    "ClientHung": "windsock.exploration.errors",
    "ConnectFailed": "windsock.clients.client_sockets",
    "Conversation": "windsock.scripts.conversation",
    "CrowdFailed": "windsock.clients.summary",
    "CrowdMember": "windsock.clients.summary",
    "CrowdSummary": "windsock.clients.summary",
    "Deadlock": "windsock.simulation",
    "Diversion": "windsock.diversions",
    "Exploration": "windsock.exploration.search",
    "ExplorationFailed": "windsock.exploration.errors",
    "FaultNeverFired": "windsock.faults.never_fired",
    "FaultProxy": "windsock.proxies.proxy",
    "Livelock": "windsock.simulation",
    "NotDiverted": "windsock.diversions",
    "NotOfThisWorld": "windsock.simulation",
    "NotSimulated": "windsock.simulation",
    "Outcome": "windsock.endpoints.outcomes",
    "Partition": "windsock.proxies.partition",
    "ProgramEnded": "windsock.programs",
    "ProgramError": "windsock.programs",
    "ProgramMissing": "windsock.programs",
    "ProgramNotReady": "windsock.programs",
    "ProgramStuck": "windsock.programs",
    "RPCClient": "windsock.clients.rpc_client",
    "RealServer": "windsock.programs",
    "Repeat": "windsock.scripts.bodies",
    "Replay": "windsock.cassettes",
    "Rule": "windsock.fakes.rules",
    "RunningPair": "windsock.harness.pair",
    "Script": "windsock.scripts",
    "ScriptMismatch": "windsock.scripts",
    "ScriptTimeout": "windsock.scripts",
    "ScriptUnfinished": "windsock.clients.background",
    "ScriptedClient": "windsock.clients.client",
    "ScriptedPeer": "windsock.harness.accepted_peers",
    "Standstill": "windsock.simulation",
    "Template": "windsock.scripts.template",
    "TrioClient": "windsock.clients.async_client",
    "TrioPeer": "windsock.harness.accepted_peers",
    "UnexpectedConnection": "windsock.fakes.errors",
    "UnexpectedMessage": "windsock.fakes.errors",
    "UnmatchedTraffic": "windsock.cassettes",
    "Unmet": "windsock.fakes.errors",
    "UnreachableRule": "windsock.fakes.errors",
    "World": "windsock.simulation",
    "divert": "windsock.diversions",
    "explore": "windsock.exploration.explore",
    "faults": "windsock.faults",
    "import_capture": "windsock.cassettes",
    "partition": "windsock.proxies.partition",
    "protocols": "windsock.protocols",
    "proxy": "windsock.proxies.proxy",
    "random_bytes": "windsock.clients.malformed",
    "real_server": "windsock.programs",
    "record": "windsock.cassettes",
    "replay": "windsock.cassettes",
    "rpc": "windsock.protocols.rpc",
    "rpc_client": "windsock.clients.rpc_client",
    "scripted_client": "windsock.clients.connector",
    "serving_pair": "windsock.harness.pair",
    "simulated": "windsock.simulation",
    "strategies": "windsock.strategies",
    "under": "windsock.exploration.under",
    "verify": "windsock.cassettes",
}
"""Names that tests of plain servers do not need, and the modules that define them."""
MODULES = ("faults", "protocols", "rpc", "strategies")
"""Those that are modules themselves."""


def __getattr__(name: str) -> Any:
    """Import a module only when one of its names is used."""
    if name not in ON_FIRST_USE:
        __tracebackhide__ = True  # pytest leaves such frames out
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = importlib.import_module(ON_FIRST_USE[name])
    found = globals()[name] = module if name in MODULES else getattr(module, name)
    return found


def __dir__() -> list[str]:
    """List these names too."""
    return sorted(globals().keys() | ON_FIRST_USE.keys())
