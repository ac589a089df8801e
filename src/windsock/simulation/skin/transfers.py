"""The methods of sockets that send and receive."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from windsock.net.system import socket
from windsock.simulation.errors import NotSimulated
from windsock.simulation.skin.handles import SocketHandle, member
from windsock.simulation.skin.waits import complete, deadline_of, wait_until
from windsock.simulation.tasks import Task

__all__ = ["BODIES"]

WHOLE = int(getattr(socket, "MSG_WAITALL", 0))


def _receive(handle: SocketHandle, name: str, flags: int, *arguments: Any) -> Any:
    task, sock = member(name), handle.socket
    if flags & WHOLE:
        raise NotSimulated(f"{name}() with MSG_WAITALL", "the network returns what there is")
    return complete(handle, task, "data", partial(getattr(sock, name), *arguments, flags), flags)


def recv(handle: SocketHandle, size: int, flags: int = 0) -> Any:
    """Return received bytes."""
    if size < 0:
        raise ValueError("negative buffersize in recv")
    return _receive(handle, "recv", flags, size)


def recvfrom(handle: SocketHandle, size: int, flags: int = 0) -> Any:
    """Return received bytes and their sender."""
    if size < 0:
        raise ValueError("negative buffersize in recvfrom")
    return _receive(handle, "recvfrom", flags, size)


def recv_into(handle: SocketHandle, buffer: Any, nbytes: int = 0, flags: int = 0) -> Any:
    """Receive into a buffer."""
    return _receive(handle, "recv_into", flags, buffer, _size("recv_into", buffer, nbytes))


def recvfrom_into(handle: SocketHandle, buffer: Any, nbytes: int = 0, flags: int = 0) -> Any:
    """Receive into a buffer, and return the sender too."""
    return _receive(handle, "recvfrom_into", flags, buffer, _size("recvfrom_into", buffer, nbytes))


def _size(name: str, buffer: Any, size: int) -> int:
    if size < 0:
        raise ValueError(f"negative buffersize in {name}")
    length = memoryview(buffer).nbytes
    if size > length:
        raise ValueError("nbytes is greater than the length of the buffer")
    return size or length


def recvmsg(handle: SocketHandle, bufsize: int, ancbufsize: int = 0, flags: int = 0) -> Any:  # noqa: ARG001
    """Return a message; the world's sockets carry no ancillary data."""
    if bufsize < 0:
        raise ValueError("negative buffer size in recvmsg()")
    return _receive(handle, "recvmsg", flags, bufsize)


def recvmsg_into(handle: SocketHandle, buffers: Any, ancbufsize: int = 0, flags: int = 0) -> Any:  # noqa: ARG001
    """Receive a message into several buffers."""
    views = [memoryview(each).cast("B") for each in buffers]
    data, ancillary, received, address = _receive(handle, "recvmsg", flags, sum(map(len, views)))
    length, rest = len(data), memoryview(data)
    for view in views:
        part = rest[: len(view)]
        view[: len(part)] = part
        rest = rest[len(part) :]
    return length, ancillary, received, address


def _of_bytes(send: Callable[[SocketHandle, bytes | memoryview, int], Any]) -> Callable[..., Any]:
    """Make a function that sends bytes take any buffer, which it holds no longer than the call."""

    def send_any(handle: SocketHandle, data: Any, flags: int = 0) -> Any:
        if type(data) is bytes:
            return send(handle, data, flags)
        with memoryview(data).cast("B") as view:
            return send(handle, view, flags)

    return send_any


@_of_bytes
def send(handle: SocketHandle, data: bytes | memoryview, flags: int) -> int:
    """Send bytes: all of them if the socket blocks, as send(2) does."""
    task, sock = member("send"), handle.socket
    sent = int(complete(handle, task, "room to send", partial(sock.send, data, flags), flags))
    if sent < len(data) and handle.waits and not handle.timeout and sock.type == socket.SOCK_STREAM:
        _send_rest(handle, task, memoryview(data)[sent:], flags, None)
        return len(data)
    return sent


@_of_bytes
def sendall(handle: SocketHandle, data: bytes | memoryview, flags: int) -> None:
    """Send all bytes within the socket's time-out."""
    task, sock = member("sendall"), handle.socket
    deadline = deadline_of(task, handle.timeout or None)
    sent = complete(handle, task, "room to send", partial(sock.send, data, flags), flags)
    if sent < len(data):
        _send_rest(handle, task, memoryview(data)[sent:], flags, deadline)


def _send_rest(handle: SocketHandle, task: Task, view: memoryview, flags: int, deadline: float | None) -> None:
    while view:
        sock, file = handle.socket, handle.file
        assert file is not None
        try:
            sent = sock.send(view, flags)
        except BlockingIOError:
            if not handle.waits:
                raise
            sent = wait_until(task, file, "room to send", partial(sock.send, view, flags), deadline)
        view = view[sent:]


def sendto(handle: SocketHandle, data: Any, *rest: Any) -> Any:
    """Send a datagram: sendto(data, address) or sendto(data, flags, address)."""
    if len(rest) not in (1, 2):
        raise TypeError(f"sendto() takes 2 or 3 arguments ({len(rest) + 1} given)")
    flags, address = (0, *rest)[-2:]
    task, sock = member("sendto"), handle.socket
    return complete(handle, task, "room to send", partial(sock.sendto, data, flags, address), flags)


def sendmsg(handle: SocketHandle, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> Any:
    """Send several buffers as one message."""
    if any(ancdata):
        raise NotSimulated("sendmsg() with ancillary data", "descriptors and credentials are the kernel's")
    task, sock = member("sendmsg"), handle.socket
    parts = [bytes(each) for each in buffers]
    return complete(handle, task, "room to send", partial(sock.sendmsg, parts, (), flags, address), flags)


BODIES: dict[str, Callable[..., Any]] = {
    "recv": recv,
    "recv_into": recv_into,
    "recvfrom": recvfrom,
    "recvfrom_into": recvfrom_into,
    "recvmsg": recvmsg,
    "recvmsg_into": recvmsg_into,
    "send": send,
    "sendall": sendall,
    "sendmsg": sendmsg,
    "sendto": sendto,
}
