"""A small key-value state as a ready rule: `redis.store(server)`, to which clients of redis connect. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from windsock.net.system import threading
from windsock.protocols.ready_rules import check_server, checked_mapping
from windsock.protocols.redis import builders, containers, keys  # noqa: F401  # which make commands known
from windsock.protocols.redis.commands import COMMANDS, CommandFailed, Data
from windsock.protocols.redis.patterns import PROTOCOL, command
from windsock.protocols.redis.values import Command, RedisReply, encoded, text_of

__all__ = ["Store", "store"]

VERSION = "7.2.0"
"""The version of redis that HELLO tells."""
NO_VERSION = "NOPROTO unsupported protocol version"


@dataclass(slots=True)
class Session:
    """What the store knows of one connection. `queued` are the commands since MULTI; None outside."""

    resp: int = 2
    name: bytes = b""
    queued: list[Command] | None = None
    is_spoilt: bool = False
    """Whether a command since MULTI was refused."""
    watched: dict[bytes, Any] = field(default_factory=dict)
    """The keys of WATCH, with the values that they had."""


class Store:
    """Keys and values. Of each connection its conversation keeps the version of RESP, the name, and the transaction."""

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self.data: Data = {_key(key): _value(value) for key, value in data.items()}
        """Keys with their values: bytes, a dict (hash), a list, or a set."""
        self._lock = threading.RLock()

    def answer(self, message: bytes, conversation: Any) -> RedisReply | None:
        """Return the reply to a command in a Conversation; None to a command without a word."""
        given = PROTOCOL.decode(message)
        if not given.words:
            return None
        with self._lock:
            session = conversation.kept.setdefault("redis", Session())
            return spoken(self._reply(given, session, conversation.index), session.resp)

    def _reply(self, given: Command, session: Session, index: int) -> RedisReply:
        try:
            if given.name in ("MULTI", "EXEC", "DISCARD"):
                return self._transaction(given.name, session, index)
            if given.name == "WATCH":
                return self._watch(given, session)
            if session.queued is not None:
                _check(given)
                session.queued.append(given)
                return builders.simple("QUEUED")
            return self._run(given, session, index)
        except CommandFailed as error:
            session.is_spoilt |= session.queued is not None
            return builders.error(error.text)

    def _watch(self, given: Command, session: Session) -> RedisReply:
        if not given.args:
            raise CommandFailed("ERR wrong number of arguments for 'watch' command")
        if session.queued is not None:
            return builders.error("ERR WATCH inside MULTI is not allowed")
        for key in given.args:
            session.watched.setdefault(key, deepcopy(self.data.get(key)))
        return builders.ok()

    def _transaction(self, name: str, session: Session, index: int) -> RedisReply:
        if name == "MULTI":
            if session.queued is not None:
                return builders.error("ERR MULTI calls can not be nested")
            session.queued, session.is_spoilt = [], False
            return builders.ok()
        if session.queued is None:
            raise CommandFailed(f"ERR {name} without MULTI")
        queued, session.queued = session.queued, None
        has_changed = any(self.data.get(key) != value for key, value in session.watched.items())
        session.watched.clear()
        if name == "DISCARD":
            return builders.ok()
        if session.is_spoilt:
            return builders.error("EXECABORT Transaction discarded because of previous errors.")
        if has_changed:
            return builders.nil_array()
        return builders.array(*(self._reply(each, session, index) for each in queued))

    def _run(self, given: Command, session: Session, index: int) -> RedisReply:
        of_connection = OF_CONNECTION.get(given.name)
        if of_connection is not None:
            return of_connection(session, given.args, index)
        _check(given)
        return builders.as_reply(COMMANDS[given.name].run(self.data, *given.args))


def store(server: Any, data: Mapping[Any, Any] | None = None) -> Store:
    """Let a fake answer commands from a small key-value state, which begins with `data`; return that state.

    For strings, counters, hashes, lists, sets, transactions, and what clients say first (HELLO, CLIENT, SELECT). Rules
    that were added before, or with `first=True`, come first. The state is in the memory of this process, so the server
    must not be a forking one. `framing="redis"` is needed.
    """
    check_server("redis.store()", server, PROTOCOL)
    made = Store(checked_mapping("redis.store()", data, "{'visits': 41}"))
    server.on(command()).reply_with(made.answer).optional()
    return made


def spoken(reply: RedisReply, resp: int) -> RedisReply:
    """Return a reply in the version of RESP that a connection speaks."""
    kind, value = reply.kind, reply.value
    if value is None and kind != "*":
        return builders.null() if resp == 3 else builders.nil()
    if value is None:
        return builders.null() if resp == 3 else reply
    if kind == "%" and resp == 2:
        return builders.array(*(spoken(each, resp) for pair in value for each in pair))
    if kind in "*~":
        return RedisReply("*" if resp == 2 else kind, tuple(spoken(each, resp) for each in value))
    return reply


def _check(given: Command) -> None:
    """Raise CommandFailed for an unknown command, or one with a wrong number of arguments, as redis says it."""
    if given.name in OF_CONNECTION:
        return
    if given.name not in COMMANDS:
        shown = "".join(f"'{text_of(each)}' " for each in given.args)
        name = text_of(given.words[0])
        raise CommandFailed(f"ERR unknown command '{name}', with args beginning with: {shown}")
    COMMANDS[given.name].check(given)


def _key(key: Any) -> bytes:
    return encoded(key)


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _key(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_key(each) for each in value]
    return {_key(each) for each in value} if isinstance(value, frozenset | type({0})) else _key(value)


# --- commands about the connection


def _hello(session: Session, args: tuple[bytes, ...], index: int) -> RedisReply:
    if args and args[0] not in (b"2", b"3"):
        is_number = args[0].isdigit()
        raise CommandFailed(NO_VERSION if is_number else "ERR Protocol version is not an integer or out of range")
    session.resp = int(args[0]) if args else session.resp
    if b"SETNAME" in args[1:-1]:
        session.name = args[args.index(b"SETNAME") + 1]
    about = {"server": "redis", "version": VERSION, "proto": session.resp, "id": index + 1, "mode": "standalone"}
    return builders.map({**about, "role": "master", "modules": []})


def _client(session: Session, args: tuple[bytes, ...], index: int) -> RedisReply:
    what = text_of(args[0]).upper() if args else ""
    if what == "GETNAME":
        return builders.bulk(session.name) if session.name else builders.nil()
    if what == "ID":
        return builders.integer(index + 1)
    if what == "SETNAME" and len(args) == 2:
        session.name = args[1]
        return builders.ok()
    if what == "SETINFO":
        return builders.ok()
    raise CommandFailed(f"ERR unknown subcommand '{text_of(args[0]) if args else ''}'. Try CLIENT HELP.")


def _reset(session: Session, *_: object) -> RedisReply:
    session.resp, session.name, session.queued = 2, b"", None
    session.watched.clear()
    return builders.simple("RESET")


def _unwatch(session: Session, *_: object) -> RedisReply:
    session.watched.clear()
    return builders.ok()


def _fine(*_: object) -> RedisReply:
    return builders.ok()


OF_CONNECTION: dict[str, Callable[[Session, tuple[bytes, ...], int], RedisReply]] = {
    "HELLO": _hello,
    "CLIENT": _client,
    "SELECT": _fine,
    "AUTH": _fine,
    "QUIT": _fine,
    "RESET": _reset,
    "UNWATCH": _unwatch,
}
