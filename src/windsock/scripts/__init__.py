"""The other end, from a script."""

from windsock.scripts.clients import ScriptedClient
from windsock.scripts.connecting import ConnectFailed
from windsock.scripts.fake import Fake, Rule, UnexpectedConnection, UnexpectedMessage, Unmet
from windsock.scripts.nonsense import garbage
from windsock.scripts.opening import scripted_client
from windsock.scripts.outcomes import Outcome

__all__ = [
    "ConnectFailed",
    "Fake",
    "Outcome",
    "Rule",
    "ScriptedClient",
    "UnexpectedConnection",
    "UnexpectedMessage",
    "Unmet",
    "garbage",
    "scripted_client",
]
