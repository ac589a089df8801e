"""A helper process that kills the running programs once this process is gone, whatever ended it.

It is a small shell that reads which programs run from a pipe; the pipe ends with this process. It is started with the
first program and stays, in a session of its own, as long as this process does. Unlike a parent-death signal (prctl(2))
it does not depend on the thread that started a program, reaches the children of programs, and works everywhere.
"""

from __future__ import annotations

import contextlib
import math
import signal

from windsock.net.system import monotonic, os, sleep, threading

__all__ = ["MARK", "SHELL", "announcer", "close", "forget", "mark", "remember"]

SHELL = "/bin/sh"
LAST_WORK = 10.0
"""Seconds in which the watcher has to end once its pipe has; after that it is killed."""
POLL = 0.001
MARK = "WINDSOCK_PROGRAM"
"""The environment variable by which the processes of programs are known."""
SCRIPT = """
alive=" "
while read -r word; do
    number=${word#?}
    case $word$alive in
    +*) alive="$alive$number " ;;
    -*" $number "*) alive="${alive%% $number *} ${alive#* $number }" ;; # if it is there: else all of it twice
    esac
done
family() {
    echo "$1"
    for child in $(cat /proc/"$1"/task/*/children); do family "$child"; done
}
for leader in $alive; do
    for each in $(family "$leader") -"$leader"; do kill -s KILL -- "$each"; done
done
for path in $(grep -als -- "$0" /proc/[0-9]*/environ); do
    pid=${path#/proc/}
    kill -s KILL "${pid%/environ}"
done
"""
"""On its stdin, `+pid`: a program has started, the leader of its process group; `-pid`: it is stopped.

What has the mark in its environment belongs to a program, wherever it has gone.
"""


def mark() -> str:
    """Return the environment variable by which the programs of this process are known, without its end."""
    return f"{MARK}={os.getpid()}-{_State.token}:"


class _State:
    lock = threading.Lock()
    pid = 0
    writer = -1
    token = os.urandom(8).hex()
    watched: set[int] = set()  # noqa: RUF012  # there is one of it


def announcer() -> int:
    """Return the descriptor to which a program's pid is written before it does anything; start the watcher."""
    with _State.lock:
        if _State.writer < 0 or _has_ended():
            _close()
            _start()
        return _State.writer


def remember(pid: int) -> None:
    """Note that a program runs which has told the watcher of itself."""
    _State.watched.add(pid)


def forget(pid: int) -> None:
    """Have the watcher leave a process group alone: it is gone. To be called before the pid can be another's."""
    _State.watched.discard(pid)
    with contextlib.suppress(OSError):
        os.write(_State.writer, b"-%d\n" % pid)


def close() -> None:
    """End the watcher if no program runs. It is started again when it is needed."""
    with _State.lock:
        if not _State.watched:
            _close()


def _start() -> None:
    reader, writer = os.pipe()
    try:
        files = [
            (os.POSIX_SPAWN_DUP2, reader, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        command = [SHELL, "-c", f"cd /\n{SCRIPT}", mark()]
        _State.pid = os.posix_spawn(SHELL, command, os.environ, file_actions=files, setsid=True)
    except BaseException:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    _State.writer = writer


def _has_ended() -> bool:
    try:
        return os.waitpid(_State.pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _close() -> None:
    if _State.writer >= 0:
        os.close(_State.writer)
        _State.writer = -1
        with contextlib.suppress(ChildProcessError):
            _reap(_State.pid)


def _reap(pid: int) -> None:
    until = monotonic() + LAST_WORK
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            until = math.inf
        sleep(POLL)


def _leave_to_parent() -> None:
    """In a forked child, close the pipe: it ends with the parent."""
    _State.lock = threading.Lock()
    if _State.writer >= 0:
        os.close(_State.writer)
        _State.writer = -1
    _State.watched.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
