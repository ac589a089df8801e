"""The other end, from a script."""

from windsock.scripts.fake import Fake, Rule, UnexpectedMessage

__all__ = ["Fake", "Rule", "UnexpectedMessage"]
