"""The other end, from a script."""

from windsock.scripts.clients import ScriptedClient
from windsock.scripts.connecting import ConnectFailed
from windsock.scripts.fake import Fake, Rule, UnexpectedMessage
from windsock.scripts.nonsense import garbage
from windsock.scripts.opening import scripted_client
from windsock.scripts.outcomes import Outcome

__all__ = [
    "ConnectFailed",
    "Fake",
    "Outcome",
    "Rule",
    "ScriptedClient",
    "UnexpectedMessage",
    "garbage",
    "scripted_client",
]
