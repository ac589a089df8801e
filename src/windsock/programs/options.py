"""What a program can be asked: its command, files, environment, readiness, limits and deadlines. Checked at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from windsock.errors import UsageError
from windsock.net.addresses import check_loopback, is_localhost
from windsock.net.system import os
from windsock.programs import limits
from windsock.programs.accounts import account_of
from windsock.programs.placeholders import check_words
from windsock.programs.readiness import ProgramReadiness, readiness_of
from windsock.programs.recipe import Recipe
from windsock.recording.framing_choice import framing_from
from windsock.scripts.checks import check_keywords, check_seconds

if TYPE_CHECKING:
    from windsock.programs.running import RealServer
    from windsock.scripts import Script

__all__ = ["ProgramKeywords", "ProgramOptions", "options_from"]

Words = Sequence["str | os.PathLike[str]"]
"""A command."""


class ProgramKeywords(TypedDict, total=False):
    """The keywords of `real_server()`; their defaults are in ProgramOptions."""

    ready: str | bytes | Any | Callable[[RealServer], object] | Script
    files: Mapping[str, str | bytes | os.PathLike[str]]
    env: Mapping[str, str | None]
    cwd: str | os.PathLike[str] | None
    host: str
    user: str | None
    transport: str
    limits: Mapping[str, int]
    timeout: float
    stop_timeout: float
    stop_signal: int
    framing: Any
    name: str | None
    strict: bool
    redact: Any
    install: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOptions:
    """The values of ProgramKeywords, and the command. Times are in seconds."""

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

    def readiness(self) -> ProgramReadiness:
        """Return a new readiness, for one start."""
        return readiness_of(self.ready)()

    def texts(self) -> list[str]:
        """Return all texts that may have placeholders, in the order in which their addresses are chosen."""
        texts = [*self.command, *(each for each in self.env.values() if each is not None)]
        texts += [each for each in self.files.values() if isinstance(each, str)]
        return [*texts, *([os.fspath(self.cwd)] if self.cwd is not None else [])]


def options_from(command: Words | Recipe, **keywords: Unpack[ProgramKeywords]) -> ProgramOptions:
    """Return the options. Raises UsageError for invalid values."""
    check_keywords("real_server", keywords, ProgramKeywords)
    if not hasattr(os, "waitid"):
        raise UsageError("real_server() needs os.waitid(), which Python on macOS has from 3.13 on")
    words: Any = command
    if isinstance(command, Recipe):
        words, keywords = command.command, command.with_keywords(keywords)
    options = ProgramOptions(command=_words(words), **{key: keywords[key] for key in keywords})  # type: ignore[literal-required]
    check_words(options.command)
    _check_texts(options)
    readiness_of(options.ready)
    limits.checked(options.limits)
    framing_from(options.framing)
    for name in ("timeout", "stop_timeout"):
        check_seconds(f"real_server({name}={getattr(options, name)!r})", getattr(options, name))
    if options.transport not in ("tcp", "udp"):
        raise UsageError(f"real_server(transport={options.transport!r}): expected 'tcp' or 'udp'; for Unix: {{path}}")
    check_loopback(f"real_server(host={options.host!r})", options.host)
    if options.user is not None:
        account_of(options.user)
    _check_signal(options.stop_signal)
    return options


def _words(command: Words) -> tuple[str, ...]:
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
