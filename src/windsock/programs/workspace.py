"""What a program finds when it starts: a private directory, addresses, files, sockets that are passed to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from windsock.errors import UsageError
from windsock.net.addresses import PrivateSocketPath
from windsock.net.files import write_file
from windsock.net.system import os, socket
from windsock.programs import kernel
from windsock.programs.accounts import account_of
from windsock.programs.launch import Launch
from windsock.programs.limits import checked
from windsock.programs.lookup import find_program
from windsock.programs.options import ProgramOptions
from windsock.programs.placeholders import Placeholders
from windsock.programs.ports import family_of, is_free
from windsock.programs.watcher import MARK, mark

__all__ = ["Workspace"]

BACKLOG = 128


class Workspace:
    """What one program finds, from its first start until `remove()`; its addresses stay when it starts again."""

    def __init__(self, options: ProgramOptions) -> None:
        self._options = options
        self._private = PrivateSocketPath()
        self.directory: str = self._private.directory
        self.placeholders: Placeholders = Placeholders(options.ip, self.directory, options.install)
        self.command: list[str] = []
        self._account = None if options.user is None else account_of(options.user)
        try:
            self.placeholders.choose(options.texts())
            self.executable: str = find_program(options.command[0], options.env.get("PATH"), options.install)
            self.fill()
        except BaseException:
            self.remove()
            raise

    @property
    def mark(self) -> str:
        """The environment variable by which its processes are known."""
        return f"{mark()}{self.directory}"

    def fill(self) -> None:
        """Fill in the placeholders of the command, and write the files."""
        self.command = [self.executable, *map(self.placeholders.fill, self._options.command[1:])]
        for name, content in self._options.files.items():
            self._write(name, content)
        if self._account is not None:
            self._account.own(self.directory)

    def choose_ports_anew(self) -> None:
        """Choose other ports, and fill them in."""
        self.placeholders.choose_ports_anew()
        self.fill()

    def has_free_ports(self) -> bool:
        """Return whether no socket uses its ports."""
        return all(is_free(self.placeholders.host, port) for port in self.placeholders.ports)

    @contextlib.contextmanager
    def launch(self) -> Iterator[Launch]:
        """Give the launch of the program; sockets that are passed to it are closed here afterwards."""
        options = self._options
        self._remove_stale_sockets()
        with contextlib.ExitStack() as stack:
            passed = [stack.enter_context(_listening(each)) for each in self._passed()]
            prefix = [] if self._account is None else self._account.prefix
            yield Launch([*prefix, *self.command], self._environment(), self._cwd(), checked(options.limits), passed)

    def remove(self) -> None:
        """Remove the directory, with all that is in it. Idempotent."""
        with contextlib.suppress(OSError):
            self._private.remove()

    def _remove_stale_sockets(self) -> None:
        """Remove the sockets of processes that were killed: most programs do not bind where one is."""
        for each in self.placeholders.addresses.values():
            if isinstance(each, str) and os.path.lexists(each):
                os.unlink(each)

    def _passed(self) -> list[Any]:
        return list(self.placeholders.addresses.values()) if self._options.ready == "socket" else []

    def _cwd(self) -> str:
        if self._options.cwd is None:
            return os.getcwd()
        directory = os.path.abspath(self.placeholders.fill(os.fspath(self._options.cwd)))
        if not os.path.isdir(directory):
            raise UsageError(f"real_server(cwd={self._options.cwd!r}): there is no directory {directory!r}")
        return directory

    def _environment(self) -> dict[str, str]:
        given = {name: value for name, value in self._options.env.items() if value is not None}
        removed = self._options.env.keys() - given.keys()
        kept = {name: value for name, value in os.environ.items() if name not in removed}
        return {
            **kept,
            MARK: self.mark.partition("=")[2],
            **{name: self.placeholders.fill(value) for name, value in given.items()},
        }

    def _write(self, name: str, content: Any) -> None:
        path = f"{self.directory}/{name}"
        at = self.directory
        for each in name.split("/")[:-1]:
            at = f"{at}/{each}"
            with contextlib.suppress(FileExistsError):
                os.mkdir(at, 0o700)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if isinstance(content, os.PathLike):
            content = _template(name, os.fspath(content))
        write_file(path, content if isinstance(content, bytes) else os.fsencode(self.placeholders.fill(content)))


def _template(name: str, path: str) -> str:
    if not os.path.isfile(path):
        raise UsageError(f"real_server(files={{{name!r}: ...}}): there is no template {path!r}")
    return kernel.read(path)


def _listening(address: Any) -> Any:
    family = family_of(address[0]) if isinstance(address, tuple) else socket.AF_UNIX
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if isinstance(address, tuple):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
