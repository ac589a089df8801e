"""A real program in a test: started, ready, broken on purpose, stopped."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self, Unpack

from windsock import redaction
from windsock.errors import UsageError, WindsockError
from windsock.net import addresses
from windsock.net.deadlines import to_stop
from windsock.net.interrupts import stop_forgotten, uninterrupted
from windsock.net.permission import check_allowed
from windsock.net.system import monotonic, os, socket
from windsock.programs import start
from windsock.programs.errors import ProgramEnded, ProgramError, ProgramStuck, ending_of
from windsock.programs.options import ProgramKeywords, ProgramOptions, Words, options_from
from windsock.programs.output import Output
from windsock.programs.ports import family_of
from windsock.programs.process import Process
from windsock.programs.workspace import Workspace

if TYPE_CHECKING:
    from windsock.faults import FaultHandle
    from windsock.programs.recipe import Recipe
    from windsock.proxies.proxy import FaultProxy

__all__ = ["RealServer", "real_server"]

LAST = 20
"""The lines of output that are noted on the exception of a failed `with`."""


class RealServer:
    """A running program, from `real_server()` to `stop()`; also a context manager, which finishes it.

    `command` is the command as it was run, `addresses` are those of its placeholders by name ("port" and "path" where
    they have none), `directory` is its private directory, `{tmp}`. `output` is what it has written to stdout and
    stderr.
    """

    def __init__(self, options: ProgramOptions, _make_proxy: Callable[..., FaultProxy] | None = None) -> None:
        self.options = options
        self.name = options.name or os.path.basename(options.command[0])
        self.output = Output()
        self.output_start = 0
        """The value of `output.total` when the process was started last."""
        self.began = monotonic()
        """The monotonic time of the last start."""
        self._make_proxy = _make_proxy or _proxy
        self._faulty: FaultProxy | None = None
        self._address: Any = None
        self._process: Process | None = None
        self._exit_code: int | None = None
        self._failure: ProgramError | None = None
        self._is_excused = False
        self._owner = os.getpid()
        self._is_stopped = False
        redaction.keep(self, redaction.rules_from(options.redact))
        self._workspace = Workspace(options)
        self._address = self._workspace.placeholders.main()
        try:
            start.check_ready_can_be_seen(self)
            check_allowed(self.name, self._family())
            start.first_start(self)
        except BaseException:
            self._give_up()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True  # pytest leaves such frames out
        if error is None:
            self.finish()
            return
        lines = [redaction.line(each) for each in self.output.lines[-LAST:]]
        error.add_note("\n  ".join([f"windsock: {self.describe()}", *lines]))
        with contextlib.suppress(WindsockError):
            self.stop()

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None and os.getpid() == self._owner and not sys.is_finalizing():
            stop_forgotten(self)

    def describe(self) -> str:
        """Return in one line what this is and where."""
        where = "" if self._address is None else f" at {addresses.show(self.direct_address)}"
        return f"{self.name}{where}, {self._state()}"

    # --- where it is

    @property
    def address(self) -> Any:
        """What clients connect to: (host, port), or the path of a Unix socket. With faults, the proxy in front."""
        return self.direct_address if self._faulty is None else self._faulty.address

    @property
    def direct_address(self) -> Any:
        """The program's own address, also with a proxy in front. Raises UsageError for one without an address."""
        if self._address is None:
            raise UsageError(f"{self.name} has no address: neither {{port}} nor {{path}} is in its command")
        return self._address

    @property
    def host(self) -> str:
        """The host of `address`."""
        return str(self._ip_address()[0])

    @property
    def port(self) -> int:
        """The port of `address`."""
        return int(self._ip_address()[1])

    @property
    def addresses(self) -> dict[str, Any]:
        """The program's own addresses, by the names of their placeholders."""
        return dict(self._workspace.placeholders.addresses)

    @property
    def directory(self) -> str:
        """Its private directory, `{tmp}`, which is removed when it is stopped."""
        return self._workspace.directory

    @property
    def command(self) -> list[str]:
        """The command as it was run."""
        return list(self._workspace.command)

    @property
    def client_transport(self) -> str | None:
        """The transport that clients need to be told: "udp", or None where the address says it."""
        return "udp" if self.options.transport == "udp" else None

    # --- whether it runs

    @property
    def pid(self) -> int | None:
        """The process id, or None while it is down."""
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the program runs, paused or not."""
        return self._process is not None and not self._process.has_ended

    @property
    def is_stopped(self) -> bool:
        """Whether `stop()` was called."""
        return self._is_stopped

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process that ended last: negative for a signal; None if none has, or it is unknown."""
        return self._exit_code if self._process is None else self._process.exit_code

    # --- what fails the test

    def failure(self) -> ProgramEnded | None:
        """Return an error if it is strict, and has ended by itself since its last start, with another code than 0.

        None if a report shows that already.
        """
        process = self._process
        if process is None or self._is_excused or not (self.options.strict and process.has_ended and process.exit_code):
            return None
        self.output.drain(start.DRAIN)
        what = f"{ending_of(process.exit_code)} while the test needed it"
        return ProgramEnded(self.command, what, process.exit_code, self.output.lines)

    @property
    def errors(self) -> list[ProgramEnded]:
        """What `finish()` would raise now."""
        failure = self.failure()
        return [] if failure is None else [failure]

    def notes(self, *, is_over: bool = True) -> list[str]:  # noqa: ARG002  # as of servers
        """Return what to say on the exception of a test."""
        return list(map(str, self.errors))

    def excuse(self, errors: Iterable[BaseException]) -> None:  # noqa: ARG002  # as of servers
        """Have `finish()` not raise that it has ended: a report shows it."""
        self._is_excused = True

    # --- faults

    @property
    def proxy(self) -> FaultProxy:
        """The proxy in front of it, made on first use; from then on `address` is the proxy's."""
        if self._faulty is None:
            self._check_not_stopped("proxy")
            self._faulty = self._make_proxy(
                self.direct_address,
                transport=self.client_transport,
                name=f"proxy of {self.name}",
                framing=self.options.framing,
            )
        return self._faulty

    def remove_proxy(self) -> None:
        """Finish the proxy in front of it, if there is one: `address` is its own again. Raises what `finish()` does."""
        __tracebackhide__ = True  # pytest leaves such frames out
        faulty, self._faulty = self._faulty, None
        if faulty is not None and self._owner == os.getpid():
            faulty.finish()

    def fault(self, fault: Any, **keywords: Any) -> FaultHandle:
        """Install a fault in a proxy in front of it; `address` is the proxy's from then on. See `FaultProxy.fault`."""
        handle: FaultHandle = self.proxy.fault(fault, **keywords)
        return handle

    # --- what happens to it

    def pause(self) -> None:
        """Stop all its processes where they stand (SIGSTOP): it accepts connections, and does not answer."""
        process = self._running("pause")
        process.signal_all(signal.SIGSTOP)
        process.wait_until_paused()

    def resume(self) -> None:
        """Undo `pause()`."""
        self._running("resume").signal_all(signal.SIGCONT)

    def kill(self) -> None:
        """Kill all its processes (SIGKILL), and wait until they are gone. Connections are reset or ended."""
        self._running("kill").kill()
        self._put_away()

    def restart(self) -> None:
        """Stop it if it runs, and start it again on the same addresses, in the same directory; wait until it is ready.

        Raises what `stop()` and `real_server()` raise.
        """
        self._check_not_stopped("restart()")
        self._end()
        start.start_again(self)
        self._raise_failure()

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Be down for the length of a `with`: it is stopped, clients are refused; then up again, same address."""
        self._running("outage")
        self._end()
        try:
            yield
        finally:
            if not self._is_stopped:
                start.start_again(self)
                self._raise_failure()

    @uninterrupted
    def stop(self) -> None:
        """Ask it to end, insist, and kill what is left of it; remove its directory. Idempotent.

        Each of its processes is gone when this returns. Does nothing in a forked child. Raises ProgramStuck if it had
        to be killed, `stop_timeout` seconds after it was asked.
        """
        if self._is_stopped or self._owner != os.getpid():
            return
        self._is_stopped = True
        faulty, self._faulty = self._faulty, None
        try:
            if faulty is not None:
                faulty.stop()
        finally:
            self._end()
            self._workspace.remove()
        self._raise_failure()

    def finish(self) -> None:
        """Finish the proxy in front of it, if any, and stop; if it is strict, raise what went wrong.

        That is a program that has ended by itself, with an exit code other than 0.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        failure = self.failure()
        try:
            self.remove_proxy()
        finally:
            self.stop()
        if failure is not None:
            raise failure

    # --- for starting it

    @property
    def workspace(self) -> Workspace:
        """Its directory, addresses and files."""
        return self._workspace

    @property
    def process(self) -> Process:
        """Its process. Raises UsageError while it is down."""
        if self._process is None:
            raise UsageError(f"{self.name} is down")
        return self._process

    def launch(self) -> None:
        """Start the process, and read its output."""
        self.output_start = self.output.total
        self.began = monotonic()
        with self._workspace.launch() as launch:
            pid, descriptor = launch.start()
        self._process = Process(pid)
        self._is_excused = False
        self.output.read_from(descriptor, f"windsock output of {self.name}")

    def abandon(self) -> None:
        """Kill what has been started, after a start that has failed."""
        if self._process is not None:
            self._process.kill()
            self._put_away()

    def use_port(self, port: int) -> None:
        """Use a port that the program has chosen itself."""
        self._address = self._workspace.placeholders.host, port

    def choose_ports_anew(self) -> None:
        """Choose other ports, since these are taken."""
        self._workspace.choose_ports_anew()
        self._address = self._workspace.placeholders.main()

    # --- ends

    def _end(self) -> None:
        """End the process, if there is one, and what it has left in the background."""
        process = self._process
        if process is None:
            return
        strays = start.kill_strays(self) if process.has_ended and process.exit_code == 0 else []
        if process.end(self.options.stop_signal, to_stop(self.options.stop_timeout)):
            self._failure = self._stuck()
        if strays and self.options.strict:
            what = f"exited with code 0{start.in_background(strays)}"
            self._failure = ProgramEnded(self.command, what, 0, self.output.lines)
        self._put_away()

    def _put_away(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._exit_code = process.exit_code
            self.output.drain(start.DRAIN)
            self.output.close()
            process.release()

    @uninterrupted
    def _give_up(self) -> None:
        self._is_stopped = True
        self.abandon()
        self._workspace.remove()

    def _stuck(self) -> ProgramStuck:
        name = signal.Signals(self.options.stop_signal).name
        return ProgramStuck(
            self.command,
            f"did not end within {self.options.stop_timeout:g} s of {name} and was killed; "
            "pass a longer stop_timeout=, another stop_signal=, or stop_signal=signal.SIGKILL if it never does",
            None,
            self.output.lines,
        )

    def _raise_failure(self) -> None:
        __tracebackhide__ = True
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _running(self, method: str) -> Process:
        self._check_not_stopped(f"{method}()")
        if self._process is None or self._process.has_ended:
            raise UsageError(f"{method}(): {self.describe()}; expected a program that runs: call restart() first")
        return self._process

    def _check_not_stopped(self, what: str) -> None:
        if self._is_stopped:
            raise UsageError(f"{what}: {self.name} is stopped already")
        if self._owner != os.getpid():
            raise UsageError(f"{what}: {self.name} is this child's parent's; expected it in the parent")

    def _state(self) -> str:
        if self._is_stopped:
            return "stopped"
        if self._process is None:
            return "down"
        return f"pid {self._process.pid}" if not self._process.has_ended else ending_of(self._process.exit_code)

    def _ip_address(self) -> tuple[str, int]:
        address = self.address
        if not isinstance(address, tuple):
            raise UsageError(f"{self.name} is at a path, {address!r}: expected an address with a port")
        return address[0], address[1]

    def _family(self) -> int:
        return int(family_of(self._address[0]) if isinstance(self._address, tuple) else socket.AF_UNIX)


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
    process's own by default. `limits` bound what it may use: "descriptors", "memory" and "file_size" (bytes).

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


def _proxy(address: Any, **options: Any) -> FaultProxy:
    from windsock.proxies.proxy import FaultProxy

    return FaultProxy(address, **options)
