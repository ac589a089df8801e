"""Whose socket answers at an address: the program's own, or that of another process that has taken the port."""

from __future__ import annotations

from typing import Any

from windsock.net import addresses
from windsock.net.system import os, platform
from windsock.programs import kernel
from windsock.programs.process import Process

__all__ = ["find_strays", "is_of_another_process", "where_it_listens"]


def is_of_another_process(process: Process, kind: str, address: Any) -> bool:
    """Return whether the sockets that take what comes to an address are surely those of other processes.

    On Linux; elsewhere, and where /proc does not say, nothing is sure.
    """
    if platform != "linux":
        return False
    there = [each for each in kernel.listeners() if each.covers(kind, address)]
    exact = [each for each in there if each.address == address] or there
    inodes = {each.inode for each in exact}
    family = [each.pid for each in kernel.family(process.pid)]
    if not inodes or any(inodes & kernel.sockets_of(pid) for pid in family):
        return False
    return all(map(_shows_its_sockets, family))


def _shows_its_sockets(pid: int) -> bool:
    """Return whether this process may see what a process has open: root in a container may list, but not read it."""
    try:
        os.readlink(f"/proc/{pid}/exe")
    except PermissionError:  # of both alike: ptrace(2), PTRACE_MODE_READ_FSCREDS
        return False
    except OSError:  # it has ended
        pass
    return bool(os.access(f"/proc/{pid}/fd", os.R_OK))


def where_it_listens(process: Process) -> list[str]:
    """Return the addresses at which a program and its children listen."""
    inodes = {inode for each in kernel.family(process.pid) for inode in kernel.sockets_of(each.pid)}
    return sorted({addresses.show(each.address) for each in kernel.listeners() if each.inode in inodes})


def find_strays(process: Process, program: str, mark: str, ports: list[int]) -> list[kernel.Relative]:
    """Return the processes that a program has left in the background.

    They have its mark in their environment; or, if they have overwritten that, run the same file, have started later,
    and listen on one of its ports.
    """
    inodes = {each.inode for each in kernel.listeners() if each.kind != "unix" and each.address[1] in ports}
    return [
        kernel.Relative(pid, kernel.start_of(pid))
        for pid in kernel.processes()
        if pid not in (process.pid, os.getpid())
        and (mark in kernel.read(f"/proc/{pid}/environ") or _is_one(pid, process, program, inodes))
    ]


def _is_one(pid: int, process: Process, program: str, inodes: set[str]) -> bool:
    return (
        bool(inodes & kernel.sockets_of(pid))
        and int(kernel.start_of(pid) or 0) >= int(process.began or 0)
        and _file_of(pid) == os.path.realpath(program)
    )


def _file_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""
