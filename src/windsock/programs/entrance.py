"""The entrance to real programs: `with real_server(...) as server`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from windsock.programs.keywords import options_from
from windsock.programs.running import RealServer

if TYPE_CHECKING:
    from windsock.programs.keywords import ProgramKeywords, Recipe, Words

__all__ = ["real_server"]


def real_server(command: Words | Recipe, /, **options: Unpack[ProgramKeywords]) -> RealServer:
    """Start a real program for the length of a `with`: `real_server(["redis-server", "--port", "{port}"])`.

    It is ready when this returns. In the command, in `env` and in `files`, `{port}` is a free port, `{path}` a short
    path for a Unix socket, `{host}` the address that it should listen on, `{tmp}` a private directory, which is removed
    at the end; `{port:admin}` and `{path:admin}` are more of them, `server.addresses["admin"]`. `{program:NAME}` is the
    path of a further program, `{module:NAME}` the name of a Python module that it needs. Other braces are left.

    `ready` says when it is ready: "connect" (the default), once it accepts a connection at its first address; a regular
    expression, once a line of its output matches (its group `port` is the port that the program has chosen); a function
    of the server, once that returns something true; a Script, once a client can play it; "socket": at once, since the
    listening sockets are passed to it (LISTEN_FDS, sd_listen_fds(3)).

    `files` are written to `{tmp}`: names, and templates as text (bytes are written as they are; a path is that of a
    template). `env` is added to the environment; None removes a variable. `cwd` is the directory it runs in, this
    process's own by default. `user` is whom it runs as, if the tests run as root. `limits` bound what it may use:
    "descriptors", "memory" and "file_size" (bytes).

    `timeout` (seconds) is for getting ready, `stop_timeout` for ending after `stop_signal`; then it is killed. If
    another process takes a port first, the program is started again on another one. `transport="udp"` says that the
    address takes datagrams; `framing` is for the proxy that `server.fault()` puts in front. With `strict`, the end of
    the `with` raises if the program has ended by itself, with another code than 0. `redact` is that of `serving()`.

    Instead of a command it takes a recipe, as in `real_server(recipes.redis())` (`windsock.programs.recipes`), which
    has keywords of its own. `install` says how to install the program, for the error of a missing one.

    Raises UsageError for invalid values, ProgramMissing, ProgramEnded if it ends before it is ready, and
    ProgramNotReady if it is not ready in time.
    """
    return RealServer(options_from(command, **options))
