"""The other end, from a script."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windsock.scripts.background import Background, ScriptUnfinished
    from windsock.scripts.clients import ScriptedClient
    from windsock.scripts.connecting import ConnectFailed
    from windsock.scripts.fake import Fake
    from windsock.scripts.nonsense import garbage
    from windsock.scripts.opening import scripted_client
    from windsock.scripts.outcomes import Outcome
    from windsock.scripts.rules import Rule
    from windsock.scripts.summary import CrowdFailed, CrowdMember, CrowdSummary
    from windsock.scripts.trio_client import TrioClient
    from windsock.scripts.unmet import UnexpectedConnection, UnexpectedMessage, Unmet

__all__ = [
    "Background",
    "ConnectFailed",
    "CrowdFailed",
    "CrowdMember",
    "CrowdSummary",
    "Fake",
    "Outcome",
    "Rule",
    "ScriptUnfinished",
    "ScriptedClient",
    "TrioClient",
    "UnexpectedConnection",
    "UnexpectedMessage",
    "Unmet",
    "garbage",
    "scripted_client",
]

ON_FIRST_USE = {
    "Background": "windsock.scripts.background",
    "ConnectFailed": "windsock.scripts.connecting",
    "CrowdFailed": "windsock.scripts.summary",
    "CrowdMember": "windsock.scripts.summary",
    "CrowdSummary": "windsock.scripts.summary",
    "Fake": "windsock.scripts.fake",
    "Outcome": "windsock.scripts.outcomes",
    "Rule": "windsock.scripts.rules",
    "ScriptUnfinished": "windsock.scripts.background",
    "ScriptedClient": "windsock.scripts.clients",
    "TrioClient": "windsock.scripts.trio_client",
    "UnexpectedConnection": "windsock.scripts.unmet",
    "UnexpectedMessage": "windsock.scripts.unmet",
    "Unmet": "windsock.scripts.unmet",
    "garbage": "windsock.scripts.nonsense",
    "scripted_client": "windsock.scripts.opening",
}
"""Each name and its module: nobody has a use for all of them."""


def __getattr__(name: str) -> Any:
    """Import what somebody asks for."""
    if name not in ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = globals()[name] = getattr(importlib.import_module(ON_FIRST_USE[name]), name)
    return found
