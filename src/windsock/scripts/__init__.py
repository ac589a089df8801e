"""The other end, from a script."""

from windsock.scripts.background import Background
from windsock.scripts.clients import ScriptedClient
from windsock.scripts.connecting import ConnectFailed
from windsock.scripts.fake import Fake, Rule, UnexpectedConnection, UnexpectedMessage, Unmet
from windsock.scripts.nonsense import garbage
from windsock.scripts.opening import scripted_client
from windsock.scripts.outcomes import Outcome
from windsock.scripts.summary import CrowdFailed, CrowdSummary
from windsock.scripts.trio_client import TrioClient

__all__ = [
    "Background",
    "ConnectFailed",
    "CrowdFailed",
    "CrowdSummary",
    "Fake",
    "Outcome",
    "Rule",
    "ScriptedClient",
    "TrioClient",
    "UnexpectedConnection",
    "UnexpectedMessage",
    "Unmet",
    "garbage",
    "scripted_client",
]
