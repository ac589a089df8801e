"""Fake and real servers for tests of anything that talks over a socket."""

from typing import TYPE_CHECKING, Any

from windsock.errors import PeerError, RecordingFailed, StillRunning, UsageError, WaitTimeout, WindsockError
from windsock.harness import RunningServer, StartError, Unsupported, combine, serving
from windsock.recording import (
    AsItArrives,
    Chunk,
    Connection,
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
    RequestMismatch,
    Requests,
    RequestTimeout,
    TruncatedDatagram,
    UntilEof,
)

if TYPE_CHECKING:
    from windsock import faults
    from windsock.scripts import (
        Background,
        ConnectFailed,
        CrowdFailed,
        CrowdMember,
        CrowdSummary,
        Outcome,
        Rule,
        ScriptedClient,
        ScriptUnfinished,
        TrioClient,
        UnexpectedConnection,
        UnexpectedMessage,
        Unmet,
        garbage,
        scripted_client,
    )
    from windsock.steps import Script, ScriptMismatch, ScriptTimeout
    from windsock.wire.never_fired import FaultNeverFired
    from windsock.wire.proxied import FaultProxy, Partition, partition, proxy

__all__ = [
    "AsItArrives",
    "Background",
    "Chunk",
    "ConnectFailed",
    "Connection",
    "Connections",
    "CrowdFailed",
    "CrowdMember",
    "CrowdSummary",
    "Delimiter",
    "Direction",
    "Ending",
    "FaultNeverFired",
    "FaultProxy",
    "FixedSize",
    "FramingError",
    "HandlerDied",
    "HandlerErrors",
    "HandlerFailed",
    "LengthPrefix",
    "Lines",
    "MessageTooLong",
    "Outcome",
    "Partition",
    "PeerError",
    "RecordedRequest",
    "RecordingFailed",
    "RequestMismatch",
    "RequestTimeout",
    "Requests",
    "Rule",
    "RunningServer",
    "Script",
    "ScriptMismatch",
    "ScriptTimeout",
    "ScriptUnfinished",
    "ScriptedClient",
    "StartError",
    "StillRunning",
    "TrioClient",
    "TruncatedDatagram",
    "UnexpectedConnection",
    "UnexpectedMessage",
    "Unmet",
    "Unsupported",
    "UntilEof",
    "UsageError",
    "WaitTimeout",
    "WindsockError",
    "combine",
    "faults",
    "garbage",
    "partition",
    "proxy",
    "scripted_client",
    "serving",
]

ON_FIRST_USE = {
    "Background": "windsock.scripts",
    "ConnectFailed": "windsock.scripts",
    "CrowdFailed": "windsock.scripts",
    "CrowdMember": "windsock.scripts",
    "CrowdSummary": "windsock.scripts",
    "FaultNeverFired": "windsock.wire.never_fired",
    "FaultProxy": "windsock.wire.proxied",
    "Outcome": "windsock.scripts",
    "Partition": "windsock.wire.proxied",
    "Rule": "windsock.scripts",
    "Script": "windsock.steps",
    "ScriptMismatch": "windsock.steps",
    "ScriptTimeout": "windsock.steps",
    "ScriptUnfinished": "windsock.scripts",
    "ScriptedClient": "windsock.scripts",
    "TrioClient": "windsock.scripts",
    "UnexpectedConnection": "windsock.scripts",
    "UnexpectedMessage": "windsock.scripts",
    "Unmet": "windsock.scripts",
    "faults": "windsock.faults",
    "garbage": "windsock.scripts",
    "partition": "windsock.wire.proxied",
    "proxy": "windsock.wire.proxied",
    "scripted_client": "windsock.scripts",
}
"""Names that a test of a plain server has no use for, and the modules that they come with."""


def __getattr__(name: str) -> Any:
    """Import what is only imported when somebody asks for it."""
    if name not in ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = importlib.import_module(ON_FIRST_USE[name])
    found = globals()[name] = module if name == "faults" else getattr(module, name)
    return found


def __dir__() -> list[str]:
    """List those names too."""
    return sorted(globals().keys() | ON_FIRST_USE.keys())
