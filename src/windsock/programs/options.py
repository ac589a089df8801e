"""The options of a program: its command, files, environment, readiness, limits and deadlines."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windsock.errors import UsageError
from windsock.net.addresses import check_loopback, is_localhost
from windsock.net.system import os
from windsock.programs import limits
from windsock.programs.accounts import account_of
from windsock.programs.placeholders import check_words
from windsock.recording.framing_choice import framing_from
from windsock.scripts.checks import check_seconds

__all__ = ["ProgramOptions", "words_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOptions:
    """The command, and the values of ProgramKeywords. Times are in seconds."""

    command: tuple[str, ...]
    ready: Any = "connect"
    files: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str | None] = field(default_factory=dict)
    cwd: str | os.PathLike[str] | None = None
    host: str = "127.0.0.1"
    user: str | None = None
    transport: str = "tcp"
    limits: Mapping[str, int] = field(default_factory=dict)
    timeout: float = 30.0
    stop_timeout: float = 5.0
    stop_signal: int = signal.SIGTERM
    framing: Any = None
    name: str | None = None
    strict: bool = True
    redact: Any = None
    install: str = ""

    @property
    def ip(self) -> str:
        """The IP address that the program listens on."""
        return "127.0.0.1" if is_localhost(self.host) else self.host

    @property
    def client_transport(self) -> str | None:
        """The transport that clients need to be told: "udp", or None where the address says it."""
        return "udp" if self.transport == "udp" else None

    def check(self) -> None:
        """Raise UsageError for invalid values, `ready` apart."""
        check_words(self.command)
        _check_texts(self)
        limits.checked(self.limits)
        framing_from(self.framing)
        for name in ("timeout", "stop_timeout"):
            check_seconds(f"real_server({name}={getattr(self, name)!r})", getattr(self, name))
        if self.transport not in ("tcp", "udp"):
            raise UsageError(f"real_server(transport={self.transport!r}): expected 'tcp' or 'udp'; for Unix: {{path}}")
        check_loopback(f"real_server(host={self.host!r})", self.host)
        if self.user is not None:
            account_of(self.user)
        _check_signal(self.stop_signal)

    def texts(self) -> list[str]:
        """Return all texts that may have placeholders, in the order in which their addresses are chosen."""
        texts = [*self.command, *(each for each in self.env.values() if each is not None)]
        texts += [each for each in self.files.values() if isinstance(each, str)]
        return [*texts, *([os.fspath(self.cwd)] if self.cwd is not None else [])]


def words_of(command: Any) -> tuple[str, ...]:
    """Return the words of a command. Raises UsageError for anything that is no sequence of them."""
    if isinstance(command, str | bytes):
        raise UsageError(
            f"real_server({command!r}): expected a list of words, as in ['redis-server', '--port', '{{port}}']; "
            "shlex.split() makes one of a line"
        )
    if not isinstance(command, Iterable):
        call = f"; call it: {getattr(command, '__name__', command)}()" if callable(command) else ""
        raise UsageError(f"real_server({command!r}): expected a list of words, or a recipe{call}")
    words: tuple[Any, ...] = tuple(command)
    for each in words:
        if not isinstance(each, str | os.PathLike) or "\0" in str(each):
            raise UsageError(f"real_server({command!r}): {each!r} is no word: expected a str, or a path, without NUL")
    if not words:
        raise UsageError(f"real_server({command!r}): expected a list of at least one word")
    return tuple(str(os.fspath(each)) for each in words)


def _check_texts(options: ProgramOptions) -> None:
    value: Any
    for keyword in ("env", "files"):
        given = getattr(options, keyword)
        if not isinstance(given, Mapping):
            raise UsageError(f"real_server({keyword}={given!r}): expected a dict")
    for name, value in options.env.items():
        if not (value is None or isinstance(value, str)) or "\0" in f"{name}{value}":
            kind = type(value).__name__  # the value may be secret
            raise UsageError(f"real_server(env={{{name!r}: ...}}): expected a str without NUL, or None; it is a {kind}")
    for name, content in options.files.items():
        _check_file(name, content)


def _check_file(name: str, content: Any) -> None:
    if not name or name.startswith("/") or ".." in name.split("/"):
        raise UsageError(f"real_server(files={{{name!r}: ...}}): expected a relative path; it will be in {{tmp}}")
    if not isinstance(content, str | bytes | os.PathLike):
        raise UsageError(
            f"real_server(files={{{name!r}: {content!r}}}): expected a str, bytes, or the path of a template"
        )


def _check_signal(number: Any) -> None:
    if not isinstance(number, int) or number not in signal.valid_signals():
        raise UsageError(f"real_server(stop_signal={number!r}): expected a signal, such as signal.SIGINT")
