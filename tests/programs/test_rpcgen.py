"""A client and a server in C, made by rpcgen with libtirpc: the client calls ours, and ours call the server."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.programs.conftest import DEADLINE, missing, program, run, running
from tests.programs.harbour import BOAT, BUOY, ENTRY, NUMBERS, PROGRAM, VERSION, Harbour
from tests.programs.test_rpcinfo import with_a_portmapper_on_port_111
from tests.support.rpc import SEVENTEEN_GROUPS, call, exchange, reply_from
from tests.support.servers import on_every_concurrency
from windsock import combine, serving
from windsock.faults import Drop, Segment
from windsock.protocols import xdr
from windsock.protocols.record_marking import mark_record
from windsock.protocols.rpc_messages import (
    Accepted,
    AcceptStatus,
    Auth,
    AuthFlavor,
    AuthStatus,
    AuthSys,
    Call,
    Denied,
    RejectStatus,
    Reply,
)
from windsock.servers.rpc import RPCMixIn, ThreadingRPCUDPServer, procedure

SOURCES = Path(__file__).parent / "rpc_c"
HEADERS = "/usr/include/tirpc"
TCP_AND_UDP = pytest.mark.parametrize("transport", ["tcp", "udp"])
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory where "client" and "server" are."""
    rpcgen, gcc = program("rpcgen"), program("gcc")
    if not Path(HEADERS, "rpc/rpc.h").exists():
        missing("libtirpc-dev")
    directory = shutil.copytree(SOURCES, tmp_path_factory.mktemp("rpc") / "c")

    def make(*command: str) -> None:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"

    for option, file in (("-h", "harbour.h"), ("-c", "xdr.c"), ("-l", "clnt.c"), ("-m", "svc.c")):
        make(rpcgen, "-C", option, "-o", file, "harbour.x")
    for name, stub in (("client", "clnt.c"), ("server", "svc.c")):
        make(gcc, "-w", f"-I{HEADERS}", "-o", name, f"{name}.c", stub, "xdr.c", "-ltirpc")
    return directory


def harbour(built: Path, at: Any, transport: str, name: str, value: int = -1) -> tuple[int, str]:
    """Run the client; return its exit status and what it says."""
    done = run(str(built / "client"), transport, str(at.port), name, str(value))
    return done.returncode, done.stdout.strip()


# --- the client in C calls ours

SHOWN = "8 ffffffffffffffff  0 0 000000 load salt\n-7 1122334455667788 buoy -1.5 1 0102ff 1 2 -3"


@TCP_AND_UDP
@on_every_concurrency
def test_a_c_client_calls_every_kind_of_server(built: Path, transport: str, concurrency: str) -> None:
    kind = combine(transport=transport, concurrency=concurrency, mixins=[RPCMixIn])
    with serving(kind, Harbour) as server:
        assert harbour(built, server, transport, "add", 4) == (0, "10")
        assert harbour(built, server, transport, "echo_entry") == (0, SHOWN)
        assert harbour(built, server, transport, "call", 0) == (0, "done")


@TCP_AND_UDP
def test_a_c_client_sends_and_gets_as_much_as_it_can(built: Path, transport: str) -> None:
    """Over UDP libtirpc takes 8800 bytes."""
    most = 8700 if transport == "udp" else 1_000_000
    with serving(Harbour, transport=transport) as server:
        for size in (0, 1, most):
            assert harbour(built, server, transport, "echo", size) == (0, "equal")


@TCP_AND_UDP
def test_a_c_client_says_who_it_is(built: Path, transport: str) -> None:
    with serving(Harbour, transport=transport) as server:
        for groups in (0, 3, 16):
            assert harbour(built, server, transport, "tell_uid", groups) == (0, "1000")
        why = "client: RPC: Authentication error; why = Client credential too weak"
        assert harbour(built, server, transport, "tell_uid") == (1, why)


@TCP_AND_UDP
def test_a_c_client_understands_each_error(built: Path, transport: str) -> None:
    with serving(Harbour, transport=transport, strict=False) as server:
        assert harbour(built, server, transport, "call", 1) == (1, "client: RPC: Server can't decode arguments")
        assert harbour(built, server, transport, "call", 99) == (1, "client: RPC: Procedure unavailable")
        assert harbour(built, server, transport, "call", 4) == (1, "client: RPC: Remote system error")
        server.stop()
        assert [type(error).__name__ for error in server.errors] == ["ZeroDivisionError"]


class InPieces(Harbour):
    fragment_size = 3


@on_every_concurrency
def test_a_c_client_joins_fragments_that_arrive_in_pieces(built: Path, concurrency: str) -> None:
    with serving(InPieces, concurrency=concurrency) as server, server.fault(Segment(5)) as fault:
        assert harbour(built, server, "tcp", "echo_entry") == (0, SHOWN)

    assert fault.fired


@on_every_concurrency
def test_a_c_client_sends_a_lost_call_again(built: Path, concurrency: str) -> None:
    with (
        serving(Harbour, transport="udp", concurrency=concurrency) as server,
        server.fault(Drop(1), direction="upstream"),
    ):
        assert harbour(built, server, "udp", "add", 4) == (0, "10")


class Counting(Harbour):
    @procedure(1, args=NUMBERS, result=xdr.INT)
    def add(self, numbers: list[int]) -> int:
        self.server.counted += 1
        return super().add(numbers)


class CachingServer(ThreadingRPCUDPServer):
    duplicate_cache_size = 10
    counted = 0


def test_a_call_whose_reply_was_lost_is_executed_once_and_answered_from_the_cache(built: Path) -> None:
    with serving(CachingServer, Counting) as server, server.fault(Drop(1), direction="downstream") as fault:
        assert harbour(built, server, "udp", "add", 4) == (0, "10")
        assert (server.server.counted, fault.fired) == (1, 1)


@TCP_AND_UDP
def test_a_c_client_finds_our_server_through_our_portmapper(built: Path, transport: str) -> None:
    """At port 0 libtirpc asks the portmapper."""
    assert with_a_portmapper_on_port_111(str(built / "client"), transport, "0", "add", "4") == (0, ["10"], "")


# --- we call the server in C


@pytest.fixture
def c_server(built: Path, tmp_path: Path, nothing_is_left: None) -> Iterator[int]:
    with running([str(built / "server"), "{port}"], tmp_path) as port:
        yield port


def client_of(transport: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, KINDS[transport])
    made.settimeout(DEADLINE)
    made.connect(("127.0.0.1", port))
    return made


def to_harbour(procedure: int, arguments: bytes = b"", *, xid: int = 7, **fields: Any) -> Call:
    return Call(xid, PROGRAM, VERSION, procedure, arguments, **fields)


BUOY_FIELDS = {
    "number": -7,
    "serial": 0x1122334455667788,
    "name": "büoy",
    "depth": -1.5,
    "is_lit": True,
    "flag": b"\1\2\xff",
    "soundings": [1, 2, -3],
    "hold": (BUOY, None),
}
BOAT_FIELDS = BUOY_FIELDS | {"number": 8, "is_lit": False, "soundings": [], "hold": (BOAT, b"salt")}
WHO = AuthSys(stamp=1, machine_name="h" * 255, uid=1000, gid=100, gids=list(range(16)))

CALLS: list[tuple[Call, Reply]] = [
    (to_harbour(0), Accepted(7)),
    (to_harbour(0, xid=0xFFFFFFFF), Accepted(0xFFFFFFFF)),
    (to_harbour(1, NUMBERS.encode([1, -2, 2**31 - 1])), Accepted(7, result=xdr.INT.encode(2**31 - 2))),
    (to_harbour(3, xdr.OPAQUE.encode(b"abcde")), Accepted(7, result=xdr.OPAQUE.encode(b"abcde"))),
    (to_harbour(5, credential=WHO.credential()), Accepted(7, result=xdr.UINT.encode(1000))),
    (Call(7, PROGRAM + 1, VERSION), Accepted(7, AcceptStatus.PROG_UNAVAIL)),
    (Call(7, PROGRAM, 3), Accepted(7, AcceptStatus.PROG_MISMATCH, low=VERSION, high=VERSION)),
    (to_harbour(99), Accepted(7, AcceptStatus.PROC_UNAVAIL)),
    (to_harbour(1), Accepted(7, AcceptStatus.GARBAGE_ARGS)),
    (to_harbour(1, xdr.UINT.encode(0xFFFFFFFF)), Accepted(7, AcceptStatus.GARBAGE_ARGS)),
    (to_harbour(4), Accepted(7, AcceptStatus.SYSTEM_ERR)),
    (to_harbour(5), Denied(7, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_TOOWEAK)),
    (to_harbour(0, credential=SEVENTEEN_GROUPS), Denied(7, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_BADCRED)),
    (
        to_harbour(0, credential=Auth(AuthFlavor.SHORT)),
        Denied(7, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_REJECTEDCRED),
    ),
]


@TCP_AND_UDP
def test_a_c_server_answers_our_calls(c_server: int, transport: str) -> None:
    with client_of(transport, c_server) as client:
        for asked, answer in CALLS:
            assert call(client, asked) == answer


@TCP_AND_UDP
def test_our_server_answers_as_the_c_server_does(transport: str) -> None:
    with serving(Harbour, transport=transport, strict=False) as server, client_of(transport, server.port) as client:
        for asked, answer in CALLS:
            assert call(client, asked) == answer


@TCP_AND_UDP
def test_a_c_server_understands_our_structs_unions_and_lists(c_server: int, transport: str) -> None:
    given = ENTRY.encode(BOAT_FIELDS | {"next": [BUOY_FIELDS, BUOY_FIELDS]})

    with client_of(transport, c_server) as client:
        reply = call(client, to_harbour(2, given))

    assert reply == Accepted(7, result=given)
    entry = ENTRY.decode(reply.result)
    assert (entry.hold, [each.name for each in entry.next]) == ((BOAT, b"salt"), ["büoy", "büoy"])


def test_a_c_server_joins_our_fragments_and_we_join_those_of_its_reply(c_server: int) -> None:
    data = xdr.OPAQUE.encode(bytes(range(256)) * 1000)

    with client_of("tcp", c_server) as client:
        client.sendall(mark_record(to_harbour(3, data).encode(), fragment_size=1000))
        assert reply_from(client) == Accepted(7, result=data)


def test_a_junk_message_does_not_disturb_the_next_one(c_server: int) -> None:
    with client_of("udp", c_server) as client:
        client.send(b"junk")
        assert exchange(client, to_harbour(0).encode()) == Accepted(7)


# --- a proxy between them


def test_a_proxy_between_c_client_and_c_server_cuts_the_records(built: Path, c_server: int) -> None:
    with windsock.proxy(("127.0.0.1", c_server)) as proxy, proxy.fault(Segment(3)):
        assert harbour(built, proxy, "tcp", "echo_entry") == (0, SHOWN)


def test_a_proxy_between_c_client_and_c_server_loses_a_reply(built: Path, c_server: int) -> None:
    with (
        windsock.proxy(("127.0.0.1", c_server), transport="udp") as proxy,
        proxy.fault(Drop(1), direction="downstream") as fault,
    ):
        assert harbour(built, proxy, "udp", "add", 4) == (0, "10")
        assert fault.fired == 1
