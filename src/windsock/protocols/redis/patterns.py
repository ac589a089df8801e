"""Redis as a protocol, and its patterns: `redis.command("GET", "k")` for commands, `redis.reply(b"v")` for replies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.protocol import Protocol
from windsock.protocols.redis.builders import as_reply
from windsock.protocols.redis.resp import command_in, command_size, reply_in, reply_size
from windsock.protocols.redis.values import Command, RedisReply, code

__all__ = ["PROTOCOL", "RedisProtocol", "command", "reply"]


class RedisProtocol(Protocol):
    """RESP2 and RESP3: commands of clients, also inline, and replies and pushes of servers."""

    name = "redis"

    def size(self, data: bytes) -> int | None:
        """Return the size of the first command, or None."""
        return command_size(data)

    def reply_size(self, data: bytes) -> int | None:
        """Return the size of the first reply, or None."""
        return reply_size(data)

    def decode(self, data: bytes) -> Command:
        """Return a command."""
        return command_in(data)

    def decode_reply(self, data: bytes) -> RedisReply:
        """Return a reply."""
        return reply_in(data)


PROTOCOL = RedisProtocol()


@dataclass(frozen=True, slots=True, repr=False)
class CommandPattern(MessagePattern):
    """Matches commands; see `command()`."""

    protocol = PROTOCOL
    is_reply = False
    wanted: Command
    usual: bytes = field(init=False, compare=False)
    """The bytes in which clients send just this command: found without decoding..."""
    start: bytes = field(init=False, compare=False)
    """...as are commands with another name: this, in upper case, stands behind the number of their words."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "usual", bytes(self.wanted))
        object.__setattr__(self, "start", bytes(Command(self.wanted.name))[4:] if self.wanted.words else b"")

    def __call__(self, data: bytes) -> bool:
        """Return whether a message is such a command."""
        if data == self.usual:
            return True
        at = data.find(b"\r\n") + 2
        has_other_name = data[:1] == b"*" and data[at : at + len(self.start)].upper() != self.start
        if has_other_name and data[at + 1 : at + 2] != b"0":  # which may begin a number in another way
            return False
        return MessagePattern.__call__(self, data)

    def matches(self, message: Command) -> bool:
        """Return whether a command has the name and begins with the arguments."""
        args = self.wanted.args
        return self.wanted.name in ("", message.name) and message.args[: len(args)] == args

    def __repr__(self) -> str:
        return f"redis.command({', '.join(map(code, self.wanted.words))})"


@dataclass(frozen=True, slots=True, repr=False)
class RedisReplyPattern(MessagePattern):
    """Matches replies; see `reply()`."""

    protocol = PROTOCOL
    is_reply = True
    wanted: RedisReply | None = None

    def matches(self, message: RedisReply) -> bool:
        """Return whether a reply is the wanted one."""
        return self.wanted is None or message == self.wanted

    def __repr__(self) -> str:
        return f"redis.reply({'' if self.wanted is None else repr(self.wanted)})"


def command(*words: bytes | str | float) -> CommandPattern:
    """Return a pattern for commands of this name, in any case, whose first arguments are these; without a name, all.

    For `server.on()`, `expect()` of scripts, and `match=` of faults.
    """
    return CommandPattern(Command(*words))


def reply(*value: Any) -> RedisReplyPattern:
    """Return a pattern for replies that are this one, a reply or a value of Python; without one, for all replies."""
    (wanted,) = value or (None,)
    return RedisReplyPattern(as_reply(wanted) if value else None)
