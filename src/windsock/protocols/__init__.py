"""Messages of real protocols, as values, and the contract for protocols of one's own. No I/O."""

from windsock.protocols.errors import DecodeError, FramingError
from windsock.protocols.message_pattern import MessagePattern, message, reply
from windsock.protocols.protocol import Protocol
from windsock.protocols.registry import library
from windsock.protocols.values import MessageAnswer

__all__ = ["DecodeError", "FramingError", "MessageAnswer", "MessagePattern", "Protocol", "library", "message", "reply"]
