"""rpcinfo(8), which calls procedure 0: what it says of our servers."""

from __future__ import annotations

import os
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.programs import harbour
from tests.programs.conftest import program, run
from tests.support.rpc import PROGRAM, VERSION, Adder, AsyncAdder
from tests.support.servers import on_every_concurrency
from windsock import RunningServer, combine, serving
from windsock.faults import Blackhole, Corrupt, Duplicate, Inject, Reset, Segment
from windsock.protocols.portmap import universal_address
from windsock.protocols.record_marking import mark_record
from windsock.protocols.rpc_messages import Accepted, AcceptStatus, AuthStatus, Call, Denied, RejectStatus
from windsock.servers import rpc
from windsock.servers.rpc import RPCMixIn, RPCRequestHandler

TCP_AND_UDP = pytest.mark.parametrize("transport", ["tcp", "udp"])
READY = f"program {PROGRAM} version {VERSION} ready and waiting\n"
SERVERS: dict[str, Any] = {"tcp": rpc.ThreadingRPCTCPServer, "udp": rpc.ThreadingRPCUDPServer}


@pytest.fixture(autouse=True)
def rpcinfo_is_installed() -> None:
    program("rpcinfo")


def rpcinfo(server: RunningServer, *numbers: int) -> tuple[int, str, str]:
    """Call a server; return the exit status and what is on standard output and standard error."""
    address, netid = server.server.server_address, "local"
    if isinstance(address, tuple):
        netid = "udp" if server.server.socket_type == socket.SOCK_DGRAM else "tcp"
        netid += "6" if ":" in address[0] else ""
        address = universal_address(*address[:2])
    done = run("rpcinfo", "-a", address, "-T", netid, *map(str, numbers))
    return done.returncode, done.stdout, done.stderr


def not_available(version: int, why: str) -> tuple[int, str, str]:
    return 1, f"program {PROGRAM} version {version} is not available\n", f"rpcinfo: RPC: {why}\n"


def answering(reply: Accepted | Denied) -> type[RPCRequestHandler]:
    """Return a handler whose procedure 0 gives this reply."""

    class Answering(Adder):
        def null(self) -> Any:
            return reply

    return Answering


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix_stream"])
@on_every_concurrency
def test_rpcinfo_finds_every_kind_of_server_ready(transport: str, concurrency: str) -> None:
    kind = combine(transport=transport, concurrency=concurrency, mixins=[RPCMixIn])

    with serving(kind, Adder) as server:
        assert rpcinfo(server, PROGRAM, VERSION) == (0, READY, "")
        assert len(server.connections) == 1


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix_stream"])
def test_rpcinfo_finds_an_async_handler_ready(transport: str) -> None:
    with serving(AsyncAdder, transport=transport) as server:
        assert rpcinfo(server, PROGRAM, VERSION) == (0, READY, "")


@TCP_AND_UDP
def test_rpcinfo_calls_a_server_on_ipv6(transport: str) -> None:
    with serving(SERVERS[transport], Adder, host="::1") as server:
        assert rpcinfo(server, PROGRAM, VERSION) == (0, READY, "")


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix_stream"])
@on_every_concurrency
def test_rpcinfo_is_told_the_version_if_it_does_not_know_it(transport: str, concurrency: str) -> None:
    """It calls version 0, and then each of those that PROG_MISMATCH names: on the same connection, if there is one."""
    with serving(Adder, transport=transport, concurrency=concurrency) as server:
        assert rpcinfo(server, PROGRAM) == (0, READY, "")
        assert len(server.connections) == (2 if transport == "udp" else 1)


@TCP_AND_UDP
def test_rpcinfo_is_told_the_version_instead_of_a_wrong_one(transport: str) -> None:
    with serving(SERVERS[transport], Adder) as server:
        why = "Program/version mismatch; low version = 2, high version = 2"
        assert rpcinfo(server, PROGRAM, VERSION + 1) == not_available(VERSION + 1, why)


@TCP_AND_UDP
def test_rpcinfo_is_told_that_there_is_no_such_program(transport: str) -> None:
    with serving(SERVERS[transport], Adder) as server:
        status, text, why = rpcinfo(server, PROGRAM + 1, VERSION)

    assert (status, why) == (1, "rpcinfo: RPC: Program unavailable\n")
    assert text == f"program {PROGRAM + 1} version {VERSION} is not available\n"


MISMATCH = Accepted(0, AcceptStatus.PROG_MISMATCH, low=2, high=3)
ANSWERS = [
    (Accepted(0, AcceptStatus.PROG_UNAVAIL), "Program unavailable"),
    (MISMATCH, "Program/version mismatch; low version = 2, high version = 3"),
    (Accepted(0, AcceptStatus.PROC_UNAVAIL), "Procedure unavailable"),
    (Accepted(0, AcceptStatus.GARBAGE_ARGS), "Server can't decode arguments"),
    (Accepted(0, AcceptStatus.SYSTEM_ERR), "Remote system error"),
    (Denied(0, RejectStatus.RPC_MISMATCH), "Incompatible versions of RPC; low version = 2, high version = 2"),
    (
        Denied(0, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_BADCRED),
        "Authentication error; why = Invalid client credential",
    ),
    (
        Denied(0, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_REJECTEDCRED),
        "Authentication error; why = Server rejected credential",
    ),
]


@TCP_AND_UDP
@pytest.mark.parametrize(("reply", "why"), ANSWERS, ids=[why.partition(";")[0] for _, why in ANSWERS])
def test_rpcinfo_understands_each_error(transport: str, reply: Any, why: str) -> None:
    with serving(SERVERS[transport], answering(reply)) as server:
        assert rpcinfo(server, PROGRAM, VERSION) == not_available(VERSION, why)


class Suspicious(Adder):
    def check_credential(self, call: Call) -> AuthStatus:
        return AuthStatus.AUTH_TOOWEAK


@TCP_AND_UDP
def test_rpcinfo_is_told_that_a_call_without_a_credential_is_too_weak(transport: str) -> None:
    with serving(SERVERS[transport], Suspicious) as server:
        why = "Authentication error; why = Client credential too weak"
        assert rpcinfo(server, PROGRAM, VERSION) == not_available(VERSION, why)


class Failing(Adder):
    def null(self) -> None:
        raise ZeroDivisionError


@TCP_AND_UDP
@on_every_concurrency
def test_rpcinfo_is_told_of_an_exception_in_the_procedure(transport: str, concurrency: str) -> None:
    with serving(Failing, transport=transport, concurrency=concurrency, strict=False) as server:
        assert rpcinfo(server, PROGRAM, VERSION) == not_available(VERSION, "Remote system error")
        server.stop()
        assert [type(error).__name__ for error in server.errors] == ["ZeroDivisionError"]


def test_rpcinfo_gives_up_on_silent_servers() -> None:
    """After ten seconds: on two servers at once, and in no other test."""
    silent = [(Blackhole(), {"direction": "downstream"})]
    with (
        serving(SERVERS["tcp"], Adder, faults=silent) as tcp,
        serving(SERVERS["udp"], Adder, faults=silent) as udp,
        ThreadPoolExecutor(2) as pool,
    ):
        said = list(pool.map(rpcinfo, (tcp, udp), (PROGRAM, PROGRAM), (VERSION, VERSION)))
        assert len(udp.connections) == 1  # it does not send a datagram again

    assert said == [not_available(VERSION, "Timed out")] * 2


def test_rpcinfo_says_that_a_connection_was_closed() -> None:
    with serving(Adder) as server, server.fault(Reset(after_bytes=1), direction="downstream"):
        status, text, why = rpcinfo(server, PROGRAM, VERSION)

    assert (status, text) == (1, f"program {PROGRAM} version {VERSION} is not available\n")
    assert why == "rpcinfo: RPC: Unable to receive; errno = Connection reset by peer\n"


def test_rpcinfo_is_refused_where_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = universal_address(*bound.getsockname())
        done = run("rpcinfo", "-a", address, "-T", "tcp", str(PROGRAM), str(VERSION))

    assert (done.returncode, done.stdout) == (1, "")
    assert "Connection refused" in done.stderr


class InPieces(Adder):
    fragment_size = 1


@pytest.mark.parametrize(
    ("handler", "direction"), [(InPieces, "downstream"), (Adder, "upstream")], ids=["reply", "call"]
)
@on_every_concurrency
def test_a_message_that_arrives_byte_by_byte_is_joined(handler: Any, direction: Any, concurrency: str) -> None:
    """The reply in fragments of a byte, too."""
    with (
        serving(handler, concurrency=concurrency) as server,
        server.fault(Segment(1, interval=0.001), direction=direction) as fault,
    ):
        assert rpcinfo(server, PROGRAM, VERSION) == (0, READY, "")

    assert fault.fired


def test_rpcinfo_over_tcp_waits_for_the_reply_to_its_own_call() -> None:
    another = Inject(mark_record(Accepted(1).encode()), after_bytes=0)
    with serving(Adder) as server, server.fault(another, direction="downstream") as fault:
        assert rpcinfo(server, PROGRAM, VERSION) == (0, READY, "")

    assert fault.fired == 1


def test_rpcinfo_takes_the_first_of_two_equal_replies() -> None:
    with serving(Adder, transport="udp") as server, server.fault(Duplicate(), direction="downstream"):
        assert rpcinfo(server, PROGRAM, VERSION) == (0, READY, "")


def test_rpcinfo_over_udp_does_not_take_a_reply_to_another_call() -> None:
    """It gives up at once."""
    with (
        serving(Adder, transport="udp") as server,
        server.fault(Corrupt("zero"), direction="downstream"),
    ):
        assert rpcinfo(server, PROGRAM, VERSION) == not_available(VERSION, "Timed out")


REGISTERED = [[str(harbour.PROGRAM), str(harbour.VERSION), each] for each in ("tcp", "udp")]


def with_a_portmapper_on_port_111(*command: str) -> tuple[int, list[str], str]:
    """Run a program in a network of its own, with our portmapper and two servers; return status and what it says."""
    own_network = [program("unshare"), "-n" if os.getuid() == 0 else "-rn"]
    if run(*own_network, "true").returncode:
        pytest.skip("no network namespace can be made here, and so there is no port 111 to bind to")
    done = run(*own_network, sys.executable, "-m", "tests.programs.private_portmapper", *command)
    return done.returncode, [re.sub(" +", " ", line).strip() for line in done.stdout.splitlines()], done.stderr


def test_rpcinfo_lists_what_is_registered_with_our_portmapper() -> None:
    status, lines, errors = with_a_portmapper_on_port_111("rpcinfo", "-p", "127.0.0.1")

    assert (status, errors) == (0, "")
    assert lines[0] == "program vers proto port service"
    assert [line.split()[:4] for line in lines[1:3]] == [["100000", "2", "tcp", "111"], ["100000", "2", "udp", "111"]]
    assert [line.split()[:3] for line in lines[3:]] == REGISTERED


def test_rpcinfo_lists_it_in_its_newer_form_too() -> None:
    """It asks in version 3, and after PROG_MISMATCH in version 2."""
    status, lines, errors = with_a_portmapper_on_port_111("rpcinfo", "127.0.0.1")

    assert (status, errors) == (0, "")
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["100000", "2", "tcp", "0.0.0.0.0.111"],
        ["100000", "2", "udp", "0.0.0.0.0.111"],
    ]
    assert [line.split()[:3] for line in lines[3:]] == REGISTERED


@pytest.mark.parametrize("how", [["-t", "127.0.0.1"], ["-u", "127.0.0.1"], ["-T", "tcp", "127.0.0.1"]])
def test_rpcinfo_finds_a_server_through_our_portmapper(how: list[str]) -> None:
    said = with_a_portmapper_on_port_111("rpcinfo", *how, str(harbour.PROGRAM), str(harbour.VERSION))

    assert said == (0, [f"program {harbour.PROGRAM} version {harbour.VERSION} ready and waiting"], "")


def test_rpcinfo_does_not_find_what_is_not_registered() -> None:
    status, _, errors = with_a_portmapper_on_port_111("rpcinfo", "-t", "127.0.0.1", str(harbour.PROGRAM + 1), "1")

    assert (status, errors) == (1, "127.0.0.1: RPC: Program not registered\n")
