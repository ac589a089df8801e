"""The four transports: addresses as clients write them, and Unix socket files that come and go."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.servers.helpers import (
    DATAGRAM,
    STREAM,
    TCP,
    UDP,
    UNIX_DATAGRAM,
    UNIX_STREAM,
    Place,
    ask,
    descriptors,
    each,
    only_linux,
    poke,
)
from tests.support.servers import rest_of
from tests.support.waiting import DEADLINE
from windsock import servers
from windsock.errors import UsageError

UNIX = UNIX_STREAM + UNIX_DATAGRAM


def bare(kind: Any, address: Any, **attributes: Any) -> Any:
    return type(kind.__name__, (kind,), attributes)(address, servers.BaseRequestHandler)


@each(TCP + UDP)
def test_server_address_has_the_real_port(place: Place, kind: Any) -> None:
    server = place.make(kind)

    assert server.server_address == server.socket.getsockname()
    assert server.server_address[1] != 0


@each(TCP + UDP)
def test_ipv6_works(place: Place, kind: Any) -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    server = place.start(kind, address=("::1", 0), address_family=socket.AF_INET6)

    assert server.server_address[0] == "::1"
    assert len(server.server_address) == 4
    assert ask(place.connect(server)) == b"hello\n"


@only_linux
@each(UNIX)
@pytest.mark.parametrize("as_type", [str, bytes])
def test_an_abstract_name_is_a_str_whatever_it_was_given_as(place: Place, kind: Any, as_type: type) -> None:
    class SaysWho(servers.BaseRequestHandler):
        def handle(self) -> None:
            self.server.notes.write(repr(self.client_address))

    name = f"\0windsock-{os.getpid()}"
    server = place.start(kind, SaysWho, address=name if as_type is str else name.encode())

    assert server.server_address == name
    with socket.socket(socket.AF_UNIX, server.socket_type) as client:
        client.settimeout(DEADLINE)
        client.bind(f"\0client-{os.getpid()}")
        client.connect(server.server_address)
        poke(client)
        assert place.notes.read() == repr(f"\0client-{os.getpid()}")


@only_linux
@each(UNIX)
def test_the_kernel_may_choose_an_abstract_name(place: Place, kind: Any) -> None:
    server = place.start(kind, address="")

    assert server.server_address.startswith("\0")
    assert ask(place.connect(server)) == b"hello\n"


@each(UNIX)
def test_a_stale_socket_file_is_replaced(place: Place, kind: Any) -> None:
    path = place.path()
    with socket.socket(socket.AF_UNIX, kind.socket_type) as dead:
        dead.bind(path)

    server = place.start(kind, address=path)

    assert ask(place.connect(server)) == b"hello\n"


@each(UNIX)
def test_a_socket_file_that_somebody_listens_on_is_left_alone(place: Place, kind: Any) -> None:
    server = place.start(kind)

    with pytest.raises(OSError, match="Address already in use"):
        bare(kind, server.server_address)

    assert ask(place.connect(server)) == b"hello\n"


@each(UNIX_STREAM)
def test_a_listener_with_a_full_backlog_is_no_stale_one(place: Place, kind: Any) -> None:
    server = place.make(kind, request_queue_size=0)
    place.connect(server)

    with pytest.raises(OSError, match="Address already in use"):
        bare(kind, server.server_address)

    assert os.path.exists(server.server_address)


@each(UNIX)
@pytest.mark.parametrize("what", ["file", "directory", "other kind"])
def test_what_is_no_stale_socket_of_this_kind_is_left_alone(place: Place, kind: Any, what: str) -> None:
    path = Path(place.path())
    if what == "file":
        path.write_text("precious")
    elif what == "directory":
        path.mkdir()
    else:
        other = socket.SOCK_DGRAM if kind.socket_type == socket.SOCK_STREAM else socket.SOCK_STREAM
        holder = place.closing.enter_context(socket.socket(socket.AF_UNIX, other))
        holder.bind(str(path))
        if other == socket.SOCK_STREAM:
            holder.listen()

    with pytest.raises(OSError, match="Address already in use"):
        bare(kind, str(path))

    assert path.exists()


@each(UNIX)
def test_our_socket_file_is_removed_at_close(place: Place, kind: Any) -> None:
    server = place.make(kind)
    assert os.path.exists(server.server_address)

    server.server_close()

    assert not os.path.exists(server.server_address)


@each(UNIX)
def test_a_socket_file_that_others_put_in_our_place_is_not_removed(place: Place, kind: Any) -> None:
    server = place.make(kind)
    path = server.server_address
    os.unlink(path)
    place.server_paths.discard(path)
    with socket.socket(socket.AF_UNIX, kind.socket_type) as other:
        other.bind(path)
        server.server_close()

        assert os.path.exists(path)


@each([servers.UnixStreamServer, servers.ThreadingUnixStreamServer])
def test_a_sibling_keeps_its_server_bind(place: Place, kind: Any) -> None:
    class Sibling(servers.TCPServer):
        def server_bind(self) -> None:
            super().server_bind()
            self.is_bound_by_sibling = True

    path = place.path()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)

    with type("Both", (kind, Sibling), {})(path, servers.BaseRequestHandler) as server:
        assert server.is_bound_by_sibling
    assert not os.path.exists(path)


@each(UNIX)
def test_a_path_that_is_too_long_is_a_usage_error(place: Place, kind: Any) -> None:
    before = descriptors()

    with pytest.raises(UsageError, match=r"has at most 10[0-9]"):
        bare(kind, "/tmp/" + "x" * 200)

    assert descriptors() == before


@each(TCP + UDP)
def test_a_constructor_that_fails_closes_its_socket(place: Place, kind: Any) -> None:
    taken = place.make(kind)
    before = descriptors()

    with pytest.raises(OSError, match="Address already in use"):
        bare(kind, taken.server_address)
    with pytest.raises(OverflowError):
        bare(kind, ("127.0.0.1", 70_000))

    assert descriptors() == before


@each(STREAM + DATAGRAM)
def test_binding_and_activating_can_be_left_to_the_caller(place: Place, kind: Any) -> None:
    server = type("Later", (kind,), {})(place.address(kind), None, bind_and_activate=False)
    try:
        server.server_bind()
        server.server_activate()
        if kind in STREAM:
            place.connect(server).close()
    finally:
        server.server_close()


@each(TCP + UDP)
def test_allow_reuse_port_shares_a_port(place: Place, kind: Any) -> None:
    first = place.make(kind, allow_reuse_port=True)

    with bare(kind, first.server_address, allow_reuse_port=True) as second:
        assert second.server_address == first.server_address


@each(UNIX)
def test_allow_reuse_port_is_nothing_to_a_unix_socket(place: Place, kind: Any) -> None:
    server = place.start(kind, allow_reuse_port=True)

    assert ask(place.connect(server)) == b"hello\n"


@each(STREAM)
def test_client_address_is_what_the_client_is_bound_to(place: Place, kind: Any) -> None:
    class SaysWho(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(repr(self.client_address).encode())

    client = place.connect(place.start(kind, SaysWho))

    own = client.getsockname() or None
    assert rest_of(client) == repr(own).encode()


@only_linux
def test_an_abstract_name_that_is_taken_is_an_address_in_use() -> None:
    with (
        servers.UnixStreamServer("\0windsock-taken", servers.BaseRequestHandler),
        pytest.raises(OSError, match="in use"),
    ):
        servers.UnixStreamServer("\0windsock-taken", servers.BaseRequestHandler)
