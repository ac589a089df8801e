"""Registration with rpcbind or portmap, and the portmapper that needs neither."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.helpers import Place, each
from tests.support.rpc import PROGRAM, VERSION, Adder, call
from windsock.errors import UsageError
from windsock.protocols import portmap, xdr
from windsock.protocols.portmap import Binding, Mapping, PortmapProcedure, PortmapProtocol, RpcbindProcedure
from windsock.protocols.rpc_messages import Accepted, AcceptStatus, AuthStatus, Call
from windsock.servers import BaseRequestHandler, rpc
from windsock.servers.rpc import Portmapper, PortmapRequestHandler, RegistrationFailed, RPCRequestHandler, procedure

OWN: list[Any] = [getattr(rpc, name) for name in rpc.__all__ if name.endswith("Server")]
IP = [kind for kind in OWN if kind.address_family == socket.AF_INET]
UNIX = [kind for kind in OWN if kind.address_family != socket.AF_INET]


class RpcbindRequestHandler(RPCRequestHandler):
    """As much of rpcbind, version 4, as registration needs."""

    program = portmap.PROGRAM
    version = 4

    @procedure(RpcbindProcedure.SET, args=portmap.BINDING, result=xdr.BOOL)
    def set(self, binding: Binding) -> bool:
        key = (binding.program, binding.version, binding.netid)
        return self.server.bindings.setdefault(key, binding) is binding

    @procedure(RpcbindProcedure.UNSET, args=portmap.BINDING, result=xdr.BOOL)
    def unset(self, binding: Binding) -> bool:
        return self.server.bindings.pop((binding.program, binding.version, binding.netid), None) is not None

    @procedure(RpcbindProcedure.DUMP, result=portmap.BINDINGS)
    def dump(self) -> list[Binding]:
        return list(self.server.bindings.values())


@pytest.fixture
def portmapper(place: Place) -> Portmapper:
    """A portmapper that serves."""
    return place.start(Portmapper, PortmapRequestHandler)  # type: ignore[no-any-return]


@pytest.fixture
def rpcbind(place: Place) -> Any:
    """An rpcbind that serves; `bindings` is what it knows."""
    return place.start(rpc.ThreadingRPCTCPServer, RpcbindRequestHandler, bindings={})


def registered(portmapper: Portmapper) -> set[tuple[int, int]]:
    """Return the protocols and ports of our program."""
    return {(each.protocol, each.port) for each in portmapper.mappings.values() if each.program == PROGRAM}


@each(IP)
def test_a_server_is_registered_from_its_start_to_its_close(place: Place, portmapper: Any, kind: Any) -> None:
    protocol = PortmapProtocol.UDP if kind.socket_type == socket.SOCK_DGRAM else PortmapProtocol.TCP
    server = place.start(kind, Adder, portmapper=portmapper.server_address)

    assert registered(portmapper) == {(protocol, server.server_address[1])}
    assert call(place.connect(server), Call(1, PROGRAM, VERSION)) == Accepted(1)
    assert registered(portmapper) != set()  # a forked child's end is not the server's

    server.server_close()
    assert registered(portmapper) == set()
    server.server_close()  # and again


@each(OWN)
def test_a_server_is_registered_with_rpcbind_too_on_every_transport(place: Place, rpcbind: Any, kind: Any) -> None:
    server = place.start(kind, Adder, portmapper=rpcbind.server_address, portmapper_version=4)
    is_udp = kind.socket_type == socket.SOCK_DGRAM
    netid = ("udp" if is_udp else "tcp") if kind in IP else "local"
    address = portmap.universal_address(*server.server_address) if kind in IP else server.server_address

    assert list(rpcbind.bindings.values()) == [Binding(PROGRAM, VERSION, netid, address, str(os.getuid()))]

    server.server_close()
    assert rpcbind.bindings == {}


class Closing(Adder):
    def null(self) -> None:
        self.server.server_close()


def test_a_forked_child_that_closes_the_server_leaves_its_registration(place: Place, portmapper: Any) -> None:
    server = place.start(rpc.ForkingRPCTCPServer, Closing, portmapper=portmapper.server_address)

    assert call(place.connect(server), Call(1, PROGRAM, VERSION)) == Accepted(1)
    assert registered(portmapper) == {(PortmapProtocol.TCP, server.server_address[1])}


def test_servers_of_one_program_on_tcp_and_udp_leave_each_other_alone(place: Place, portmapper: Any) -> None:
    over_tcp = place.start(rpc.ThreadingRPCTCPServer, Adder, portmapper=portmapper.server_address)
    over_udp = place.start(rpc.ThreadingRPCUDPServer, Adder, portmapper=portmapper.server_address)

    over_tcp.server_close()

    assert registered(portmapper) == {(PortmapProtocol.UDP, over_udp.server_address[1])}


def test_a_program_that_is_registered_twice_is_an_error_that_says_where_it_is(place: Place, portmapper: Any) -> None:
    first = place.start(rpc.ThreadingRPCTCPServer, Adder, portmapper=portmapper.server_address)

    with pytest.raises(RegistrationFailed, match=f"registered already, at port {first.server_address[1]}") as found:
        place.make(rpc.ThreadingRPCTCPServer, Adder, portmapper=portmapper.server_address)

    assert (found.value.program, found.value.version, found.value.transport) == (PROGRAM, VERSION, "tcp")
    assert registered(portmapper) == {(PortmapProtocol.TCP, first.server_address[1])}


def test_the_same_with_rpcbind(place: Place, rpcbind: Any) -> None:
    options = {"portmapper": rpcbind.server_address, "portmapper_version": 4}
    first = place.start(rpc.ThreadingRPCTCPServer, Adder, **options)

    address = portmap.universal_address(*first.server_address)
    with pytest.raises(RegistrationFailed, match=f"registered already, at {address}"):
        place.make(rpc.ThreadingRPCTCPServer, Adder, **options)


@pytest.mark.parametrize("version", [2, 4])
def test_an_absent_rpcbind_is_an_error_that_names_it(place: Place, version: int) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(RegistrationFailed) as found:
            place.make(rpc.RPCTCPServer, Adder, portmapper=bound.getsockname(), portmapper_version=version)

        assert str(found.value) == (
            f"rpcbind at 127.0.0.1:{bound.getsockname()[1]}: program {PROGRAM} version {VERSION} on tcp: "
            "Connection refused; start it, or use a Portmapper of windsock instead"
        )


def test_an_rpcbind_without_a_socket_file_is_absent_too(place: Place) -> None:
    with pytest.raises(RegistrationFailed, match="No such file or directory"):
        place.make(rpc.RPCTCPServer, Adder, portmapper=place.path())


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A listener without a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_silent_rpcbind_is_an_error_at_the_deadline(place: Place, silent: socket.socket) -> None:
    with pytest.raises(RegistrationFailed, match="it does not answer in time"):
        place.make(rpc.RPCTCPServer, Adder, portmapper=silent.getsockname(), portmapper_timeout=0.05)


class Endless(BaseRequestHandler):
    """Sends fragments without a byte, slowly and without end."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.request.sendall(bytes(4))
                select.select([], [], [], 0.01)


def test_an_rpcbind_that_does_not_come_to_an_end_is_an_error_at_the_deadline(place: Place) -> None:
    endless = place.start(rpc.ThreadingRPCTCPServer, Endless)

    with pytest.raises(RegistrationFailed, match="it does not answer in time"):
        place.make(rpc.RPCTCPServer, Adder, portmapper=endless.server_address, portmapper_timeout=0.2)


class Junk(BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(self.server.junk)


@pytest.mark.parametrize(
    ("junk", "message"),
    [
        (b"\x80\0\0\4abcd", "what is no reply: offset 4.*; is this its address"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is this Sun RPC.*; is this its address[?] It has port 111"),
        (b"\xff\xff\xff\xff", "what is no reply: offset 0, record mark: a record of 2147483647 bytes"),
        (b"", "it closed the connection"),
        (
            b"\x80\0\0\x18" + bytes.fromhex("000000070000000100000000000000000000000000000000"),
            "it answered reply 7 SUCCESS to call [0-9]+; is this its address",
        ),
    ],
)
def test_an_rpcbind_that_answers_something_else_is_an_error(place: Place, junk: bytes, message: str) -> None:
    strange = place.start(rpc.ThreadingRPCTCPServer, Junk, junk=junk)

    with pytest.raises(RegistrationFailed, match=message):
        place.make(rpc.RPCTCPServer, Adder, portmapper=strange.server_address)


class Refusing(PortmapRequestHandler):
    @procedure(PortmapProcedure.SET, args=portmap.MAPPING, result=xdr.BOOL)
    def set(self, mapping: Mapping) -> bool:
        return False


class Distrustful(PortmapRequestHandler):
    def check_credential(self, call: Call) -> AuthStatus:
        return AuthStatus.AUTH_TOOWEAK


class Otherwise(PortmapRequestHandler):
    program = PROGRAM


@pytest.mark.parametrize(
    ("handler", "version", "message"),
    [
        (Refusing, 2, "it refused to register it; it may take registrations from its own host or from root only: ask"),
        (Distrustful, 2, "it answered AUTH_ERROR AUTH_TOOWEAK; it may take registrations from its own host or from"),
        (PortmapRequestHandler, 4, "it answered PROG_MISMATCH 2 to 2; .* version 4: set portmapper_version = 2"),
        (Otherwise, 2, "it answered PROG_UNAVAIL; is this its address[?] It has port 111"),
    ],
)
def test_an_rpcbind_that_does_not_register_is_an_error_that_says_what_to_do(
    place: Place, handler: Any, version: int, message: str
) -> None:
    other = place.start(Portmapper, handler)

    with pytest.raises(RegistrationFailed, match=message):
        place.make(rpc.RPCTCPServer, Adder, portmapper=other.server_address, portmapper_version=version)


@pytest.mark.parametrize(
    "address", [111, ("127.0.0.1", "111"), ("127.0.0.1",), ("127.0.0.1", 0), (b"127.0.0.1", 111), "", Portmapper]
)
def test_a_portmapper_that_is_no_address_is_refused(place: Place, address: Any) -> None:
    with pytest.raises(
        UsageError, match=r"portmapper: address .*: expected \(host, port\) with a port from 1 to 65535"
    ):
        place.make(rpc.RPCTCPServer, Adder, portmapper=address)


@pytest.mark.parametrize("seconds", ["5", None, 0, -1, True, float("inf")])
def test_a_timeout_of_the_portmapper_that_is_none_is_refused(place: Place, portmapper: Any, seconds: Any) -> None:
    with pytest.raises(UsageError, match=r"portmapper_timeout = .*: expected seconds, more than 0"):
        place.make(rpc.RPCTCPServer, Adder, portmapper=portmapper.server_address, portmapper_timeout=seconds)


def test_a_server_closes_though_its_portmapper_is_gone(place: Place, portmapper: Any) -> None:
    server = place.start(rpc.ThreadingRPCTCPServer, Adder, portmapper=portmapper.server_address)
    portmapper.server_close()

    server.server_close()

    assert server.fileno() < 0


def test_a_server_closes_though_it_could_not_be_removed_and_the_error_says_so(place: Place, rpcbind: Any) -> None:
    server = place.start(rpc.ThreadingRPCTCPServer, Adder, portmapper=rpcbind.server_address, portmapper_version=4)
    rpcbind.RequestHandlerClass = PortmapRequestHandler  # which does not know version 4

    with pytest.raises(RegistrationFailed, match="PROG_MISMATCH"):
        server.server_close()
    assert server.fileno() < 0


@each(UNIX)
def test_portmap_has_no_addresses_of_unix_sockets(place: Place, portmapper: Any, kind: Any) -> None:
    with pytest.raises(RegistrationFailed, match="version 2 knows IPv4 only: set portmapper_version = 4"):
        place.make(kind, Adder, portmapper=portmapper.server_address)


@pytest.mark.parametrize(
    ("handler", "options", "message"),
    [
        (BaseRequestHandler, {}, "has no program and no version to register"),
        (Adder, {"portmapper_version": 3}, "portmapper_version = 3: expected 2"),
    ],
)
def test_a_registration_that_cannot_be_is_refused(
    place: Place, portmapper: Any, handler: Any, options: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        place.make(rpc.RPCTCPServer, handler, portmapper=portmapper.server_address, **options)


# --- the portmapper


KIND_OF = {PortmapProtocol.TCP: socket.SOCK_STREAM, PortmapProtocol.UDP: socket.SOCK_DGRAM}


@pytest.fixture(params=list(PortmapProtocol), ids=lambda protocol: protocol.name)
def client(request: pytest.FixtureRequest, place: Place, portmapper: Any) -> socket.socket:
    """A client of the portmapper over TCP and over UDP."""
    made = place.closing.enter_context(socket.socket(socket.AF_INET, KIND_OF[request.param]))
    made.settimeout(10)
    made.connect(portmapper.server_address)
    return made


def ask(client: socket.socket, number: int, kind: Any, mapping: Mapping | None = None) -> Any:
    arguments = b"" if mapping is None else portmap.MAPPING.encode(mapping)
    reply = call(client, Call(1, portmap.PROGRAM, 2, number, arguments))
    assert isinstance(reply, Accepted)
    assert reply.status == AcceptStatus.SUCCESS
    return kind.decode(reply.result)


def test_a_portmapper_maps_programs_to_ports_over_tcp_and_udp(portmapper: Any, client: socket.socket) -> None:
    one = Mapping(PROGRAM, VERSION, PortmapProtocol.TCP, 4001)
    own = [Mapping(portmap.PROGRAM, 2, protocol, portmapper.server_address[1]) for protocol in PortmapProtocol]

    assert ask(client, PortmapProcedure.GETPORT, xdr.UINT, one) == 0
    assert ask(client, PortmapProcedure.SET, xdr.BOOL, one) is True
    assert ask(client, PortmapProcedure.SET, xdr.BOOL, Mapping(PROGRAM, VERSION, PortmapProtocol.TCP, 4002)) is False
    assert ask(client, PortmapProcedure.GETPORT, xdr.UINT, Mapping(PROGRAM, VERSION, PortmapProtocol.TCP)) == 4001
    assert ask(client, PortmapProcedure.GETPORT, xdr.UINT, Mapping(PROGRAM, VERSION, PortmapProtocol.UDP)) == 0
    assert ask(client, PortmapProcedure.GETPORT, xdr.UINT, Mapping(PROGRAM, 0, PortmapProtocol.TCP)) == 4001
    assert ask(client, PortmapProcedure.DUMP, portmap.MAPPINGS) == [*own, one]
    assert ask(client, PortmapProcedure.UNSET, xdr.BOOL, one) is True
    assert ask(client, PortmapProcedure.UNSET, xdr.BOOL, one) is False
    assert ask(client, PortmapProcedure.DUMP, portmap.MAPPINGS) == own


@pytest.mark.parametrize("version", [3, 4])
def test_a_portmapper_says_that_it_knows_version_2_only(client: socket.socket, version: int) -> None:
    reply = call(client, Call(1, portmap.PROGRAM, version, RpcbindProcedure.GETADDR, b""))

    assert reply == Accepted(1, AcceptStatus.PROG_MISMATCH, low=2, high=2)


def test_a_portmapper_is_on_a_free_port_by_default_and_leaves_it() -> None:
    with Portmapper() as portmapper:
        address = portmapper.server_address

    for kind in KIND_OF.values():
        with socket.socket(socket.AF_INET, kind) as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(address)


def test_a_portmapper_whose_udp_port_is_taken_is_not_there_at_all() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            Portmapper(taken.getsockname())
