"""A proxy in front of servers: what clients see, what is recorded, and what is left when it goes wrong."""

from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

import windsock
from tests.servers.helpers import only_linux
from tests.support.carriers import connected, listening
from tests.support.processes import ended_well, forked
from tests.support.servers import Signal, ask, connect, reset, rest_of
from tests.support.waiting import DEADLINE, wait_until
from windsock import Ending
from windsock.errors import StillRunning, UsageError
from windsock.faults import FaultHandle, first
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Item
from windsock.faults.kinds.delay import Delay
from windsock.faults.kinds.hold import Hold
from windsock.faults.kinds.reset import Reset
from windsock.net import addresses, system
from windsock.net.addresses import PrivateSocketPath
from windsock.proxies.proxy import FaultProxy

on_every_stream = pytest.mark.parametrize("transport", ["tcp", "tcp6", "unix_stream"])
on_every_transport = pytest.mark.parametrize("transport", ["tcp", "udp", "unix_stream", "unix_datagram"])


@contextmanager
def proxied(transport: str, **options: Any) -> Iterator[tuple[FaultProxy, Any]]:
    """An echoing server and a proxy in front of it."""
    with windsock.serving(transport=transport) as server:
        server.echo()
        with FaultProxy(server.address, transport=transport, **options) as proxy:
            yield proxy, server


def client_of(proxy: FaultProxy) -> socket.socket:
    """A client that can be answered."""
    client = socket.socket(proxy.upstream.family, proxy.upstream.kind)
    try:
        client.settimeout(DEADLINE)
        if proxy.upstream.is_unix and proxy.upstream.is_datagram:
            client.bind("")
        client.connect(proxy.address)
    except BaseException:
        client.close()
        raise
    return client


@on_every_transport
def test_a_client_is_answered_and_both_are_recorded(transport: str) -> None:
    framing = None if "d" in transport[-8:] and transport != "unix_stream" else 4
    with proxied(transport, framing=framing) as (proxy, _), client_of(proxy) as client:
        for number in range(3):
            client.sendall(b"%04d" % number)
            assert client.recv(100) == b"%04d" % number

        requests = proxy.requests.wait(3)

        assert [(each.data, each.reply) for each in requests] == [(b"%04d" % n, b"%04d" % n) for n in range(3)]
        assert proxy.connections[0].peer == addresses.plain(client.getsockname()) or transport == "unix_stream"


def test_where_it_is_can_be_asked_as_of_a_server() -> None:
    with windsock.serving() as server, FaultProxy(server.address) as proxy:
        assert (proxy.host, proxy.port) == proxy.address
        assert proxy.host == "127.0.0.1"
        with pytest.raises(UsageError, match="path: the proxy has none"):
            _ = proxy.path
    with windsock.serving(transport="unix_stream") as server, FaultProxy(server.address) as proxy:
        assert proxy.path == proxy.address != server.address
        with pytest.raises(UsageError, match="host: the proxy has none"):
            _ = proxy.host


def test_the_kind_of_a_unix_socket_is_found_out() -> None:
    for transport in ("unix_stream", "unix_datagram"):
        with windsock.serving(transport=transport) as server, FaultProxy(server.address) as proxy:
            assert proxy.upstream.is_datagram == (transport == "unix_datagram")


def test_ipv6_is_carried_over_ipv6() -> None:
    with listening("tcp6") as listener, FaultProxy(listener.getsockname()[:2]) as proxy:
        with connected(socket.AF_INET6, proxy.address) as client:
            server, _ = listener.accept()
            with server:
                client.sendall(b"x")
                assert server.recv(1) == b"x"
        assert proxy.host == "::1"


@pytest.mark.parametrize(
    ("address", "options", "message"),
    [
        (("127.0.0.1", 0), {}, "a port from 1 to 65535"),
        (("127.0.0.1", True), {}, "a port from 1 to 65535"),
        ((7, 80), {}, r"expected \(host, port\)"),
        (80, {}, r"expected \(host, port\)"),
        ("", {}, "or the path or abstract name"),
        ("x" * 200, {}, "at most"),
        (("127.0.0.1", 80), {"transport": "sctp"}, "expected one of 'tcp'"),
        (("127.0.0.1", 80), {"transport": "unix_stream"}, "is a host and a port"),
        ("/tmp/x", {"transport": "tcp"}, "is the path of a Unix socket"),
        (("127.0.0.1", 80), {"listen": ("127.0.0.1", 80)}, "a proxy to itself"),
        (("127.0.0.1", 80), {"listen": ("0.0.0.0", 80), "allow_external": True}, "a proxy to itself"),
        (
            ("127.0.0.1", 80),
            {"listen": "/nowhere/s"},
            "cannot listen there: .* of the same kind as 127",
        ),
        (("127.0.0.1", 80), {"listen": ("127.0.0.1", 70000)}, r"listen=.*: a proxy cannot listen there"),
        ("/tmp/x", {"listen": "/nowhere/s"}, r"a proxy cannot listen there: \[Errno 2\]"),
        (("127.0.0.1", 80), {"listen": ("0.0.0.0", 0)}, r"listen=.* can be reached from other machines"),
        (("nowhere.invalid", 80), {}, "can't be found"),
        (("127.0.0.1", 80), {"framing": 1.5}, "framing="),
        (("127.0.0.1", 80), {"tls": True}, r"tls=True: expected an ssl\.SSLContext"),
        (("127.0.0.1", 80), {"upstream_tls": True}, r"upstream_tls=True: expected an ssl\.SSLContext"),
    ],
)
def test_what_cannot_work_is_said_at_once(address: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FaultProxy(address, **options)


def test_nobody_else_has_got_the_place_where_it_is_to_listen() -> None:
    with listening("tcp") as listener, pytest.raises(UsageError, match=r"in use.* expected a free address") as caught:
        FaultProxy(("127.0.0.1", 1), listen=listener.getsockname())
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize(("listen", "expected"), [(("127.0.0.1", 0), "127.0.0.1"), (("::1", 0), "::1"), (None, "::1")])
def test_a_name_with_addresses_of_both_families_is_that_of_the_family_it_listens_on(
    monkeypatch: pytest.MonkeyPatch, listen: Any, expected: str
) -> None:
    kind = socket.SOCK_STREAM
    both = [(socket.AF_INET6, kind, 6, "", ("::1", 80, 0, 0)), (socket.AF_INET, kind, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(system.socket, "getaddrinfo", lambda *_, **__: both)

    with FaultProxy(("localhost", 80), listen=listen) as proxy:
        assert (proxy.upstream.address[0], proxy.host) == (expected, expected)


# --- upstreams that are not there, or go away


def test_a_refusing_upstream_is_a_reset_for_the_client_never_a_silent_end() -> None:
    with listening("tcp") as listener:
        address = listener.getsockname()
    with FaultProxy(address) as proxy:
        with pytest.raises(ConnectionResetError), connected(socket.AF_INET, proxy.address) as client:
            client.recv(1)

        wait_until(lambda: proxy.connections[0].is_closed)
        assert proxy.connections[0].refused == f"no connection to 127.0.0.1:{address[1]}: Connection refused"
        assert proxy.connections[0].ending is Ending.REFUSED
        assert list(proxy.errors) == []


def test_a_unix_upstream_that_is_not_there_resets_a_client_that_has_spoken() -> None:
    with listening("unix_stream") as listener:
        path = listener.getsockname()
    with FaultProxy(path, transport="unix_stream", timeout=1) as proxy, proxy.fault(Delay(0.0), allow_unfired=True):
        with connected(socket.AF_UNIX, proxy.path) as client:
            try:
                client.sendall(b"hello")
                assert client.recv(1) == b""  # it was turned away before it had spoken
            except (ConnectionResetError, BrokenPipeError):
                pass
        wait_until(lambda: proxy.connections[0].is_closed)
        assert "No such file" in str(proxy.connections[0].refused)


def test_an_upstream_that_resets_in_the_middle_resets_the_client() -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname()) as proxy:
        with connected(socket.AF_INET, proxy.address) as client:
            server, _ = listener.accept()
            client.sendall(b"question")
            assert server.recv(100) == b"question"
            server.sendall(b"ans")
            assert client.recv(100) == b"ans"

            reset(server)

            with pytest.raises(ConnectionResetError):
                client.recv(1)
        connection = proxy.connections[0]
        assert connection.ending is Ending.SERVER_RESET
        assert (connection.upstream, connection.downstream) == (b"question", b"ans")
        assert "#0 server reset: Connection reset by peer" in "\n".join(proxy.transcript())


def test_a_client_that_resets_is_recorded_and_resets_the_upstream() -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname()) as proxy:
        client = connected(socket.AF_INET, proxy.address)
        server, _ = listener.accept()
        with server:
            server.settimeout(DEADLINE)
            reset(client)
            with pytest.raises(ConnectionResetError):
                server.recv(1)
        assert proxy.connections[0].ending is Ending.CLIENT_RESET


def test_half_closes_are_recorded() -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname(), framing="eof") as proxy:
        with connected(socket.AF_INET, proxy.address) as client:
            server, _ = listener.accept()
            with server:
                client.sendall(b"all of it")
                client.shutdown(socket.SHUT_WR)
                assert rest_of(server) == b"all of it"
                server.sendall(b"thanks")
            assert rest_of(client) == b"thanks"
        request = proxy.requests.only()

        assert (request.data, request.reply) == (b"all of it", b"thanks")
        assert proxy.connections[0].ending is Ending.CLIENT_EOF


# --- faults


def test_a_fault_acts_on_whom_it_selects_and_is_written_down() -> None:
    with proxied("tcp") as (proxy, _):
        with proxy.fault(Reset(after_bytes=2), connections=first(1), direction="downstream") as fault:
            with client_of(proxy) as client:
                client.sendall(b"four")
                assert client.recv(100) == b"fo"
                with pytest.raises(ConnectionResetError):
                    client.recv(100)
            with client_of(proxy) as client:
                client.sendall(b"four")
                assert client.recv(100) == b"four"

        assert fault.fired == 1
        assert proxy.connections[0].downstream == b"four"  # as the server sent it
        (line,) = [line for line in proxy.transcript() if "fault" in line]
        assert "#0 ~ fault: Reset(2) downstream at byte" in line


def test_faults_come_and_go_on_a_live_connection() -> None:
    with proxied("tcp") as (proxy, _), client_of(proxy) as client:
        client.sendall(b"one")
        assert client.recv(100) == b"one"

        with proxy.fault(Hold(), direction="downstream") as hold:
            client.sendall(b"two")
            client.settimeout(0.1)
            with pytest.raises(TimeoutError):
                client.recv(100)
            client.settimeout(DEADLINE)
            hold.release()
            assert client.recv(100) == b"two"
        client.sendall(b"three")
        assert client.recv(100) == b"three"


def test_what_a_healed_fault_held_goes_on() -> None:
    with proxied("tcp") as (proxy, _), client_of(proxy) as client:
        with proxy.fault(Hold(), direction="downstream") as hold:
            client.sendall(b"held")
            wait_until(lambda: hold.fired > 0)
        assert client.recv(100) == b"held"


def test_a_function_is_a_fault_and_its_error_is_ours_to_see() -> None:
    def shout(item: Data, link: Any) -> bytes:
        return item.data.upper()

    def fail(item: Data, link: Any) -> bytes:
        raise LookupError("no such thing")

    with proxied("tcp") as (proxy, _):
        with proxy.fault(shout, direction="upstream"), client_of(proxy) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"HELLO"
        with proxy.fault(fail, allow_unfired=True), client_of(proxy) as client:
            client.sendall(b"hello")
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        (error,) = proxy.errors.take()
        assert isinstance(error, LookupError)
        assert "while handling #1" in error.__notes__[0]
        with client_of(proxy) as client:
            client.sendall(b"still here")
            assert client.recv(100) == b"still here"


def test_errors_that_nobody_takes_are_raised_at_the_end() -> None:
    def fail(item: Data, link: Any) -> bytes:
        raise LookupError("no such thing")

    with proxied("tcp") as (proxy, _):
        proxy.fault(fail, allow_unfired=True)
        with client_of(proxy) as client:
            client.sendall(b"x")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with pytest.raises(ExceptionGroup, match=r"proxy on 127\.0\.0\.1:.*: errors") as caught:
            proxy.finish()
        proxy.errors.take()
    assert caught.group_contains(LookupError)


def test_a_delayed_reset_does_not_overtake_what_was_said_before() -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname()) as proxy:
        proxy.fault(Delay(0.05), direction="downstream")
        with connected(socket.AF_INET, proxy.address) as client:
            server, _ = listener.accept()
            server.sendall(b"last words")
            reset(server)

            assert client.recv(100) == b"last words"
            with pytest.raises(ConnectionResetError):
                client.recv(100)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_cut_line_carries_nothing_until_it_is_mended(recorded: bool) -> None:
    with proxied("tcp", recorded=recorded) as (proxy, _), client_of(proxy) as client:
        client.sendall(b"before")
        assert client.recv(100) == b"before"

        proxy.disconnect()
        client.sendall(b"meanwhile")
        with client_of(proxy) as late:
            late.sendall(b"late")
            for each in (client, late):
                each.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    each.recv(100)
                each.settimeout(DEADLINE)
            proxy.reconnect()

            assert client.recv(100) == b"meanwhile"
            assert late.recv(100) == b"late"


# --- recording off, stopping, lack of descriptors


def test_nothing_is_recorded_if_nobody_wants_it() -> None:
    with proxied("tcp", recorded=False) as (proxy, _):
        with client_of(proxy) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        assert list(proxy.connections) == []
        assert proxy.transcript() == ["nothing was recorded"]


@on_every_transport
def test_stopping_twice_is_no_harm(transport: str) -> None:
    with proxied(transport) as (proxy, _):
        proxy.stop()
        proxy.stop()
        assert "stopped" in repr(proxy)


def test_a_stop_that_takes_too_long_names_what_is_running() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def block(item: Data, link: Any) -> bytes:
        entered.set()
        go_on.wait(DEADLINE)
        return item.data

    with windsock.serving().echo() as server:
        proxy = FaultProxy(server.address, timeout=0.2)
        proxy.fault(block)
        with client_of(proxy) as client:
            client.sendall(b"x")
            entered.wait(DEADLINE)

            with pytest.raises(StillRunning, match=r"thread 'windsock proxy 127\.0\.0\.1"):
                proxy.stop()
            go_on.set()
            wait_until(lambda: not any(each.name.startswith("windsock proxy") for each in threading.enumerate()))


def test_a_thousand_faulted_connections_leave_nothing_behind() -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname()) as proxy:
        before = len(os.listdir("/dev/fd"))
        with proxy.fault(Reset(), times=1000):
            for _ in range(1000):
                with pytest.raises(ConnectionResetError), connected(socket.AF_INET, proxy.address) as client:
                    client.recv(1)
                listener.accept()[0].close()
        wait_until(lambda: len(os.listdir("/dev/fd")) <= before)
        assert len(proxy.connections) == 1000


@only_linux
def test_a_lack_of_descriptors_is_an_error_and_passes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with proxied("tcp") as (proxy, _), ExitStack() as stack:
        client = stack.enter_context(client_of(proxy))  # stays, so that no descriptor becomes free meanwhile
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        waiting = stack.enter_context(socket.socket())
        waiting.settimeout(DEADLINE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            waiting.connect(proxy.address)
            waiting.sendall(b"still waiting")
            wait_until(lambda: len(proxy.errors) > 0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        assert waiting.recv(100) == b"still waiting"
        (error,) = proxy.errors.take()
        assert isinstance(error, OSError)
        assert "Too many open files" in str(error)


def test_a_forked_child_does_not_keep_connections_open(signals: list[Signal]) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listening("unix_stream"))
        proxy = stack.enter_context(FaultProxy(listener.getsockname()))
        client = stack.enter_context(connected(socket.AF_UNIX, proxy.path))
        server = stack.enter_context(listener.accept()[0])
        pid = os.fork()
        if pid == 0:
            server.close()
            client.close()
            signals[0].set()
            signals[1].wait()
            os._exit(0)
        stack.callback(os.waitpid, pid, 0)
        stack.callback(signals[1].set)
        signals[0].wait()

        server.sendall(b"unread")
        proxy.stop()

        assert rest_of(client) in (b"", b"unread")
        with pytest.raises(BrokenPipeError):  # the other end is closed, not only shut down
            client.send(b"x")


def test_servers_behind_it_are_asked_as_ever() -> None:
    with proxied("tcp") as (proxy, server):
        assert ask(server, b"directly") == [b"directly"]
        with connect(server) as one, client_of(proxy) as other:
            other.sendall(b"y")
            one.sendall(b"x")
            assert (one.recv(1), other.recv(1)) == (b"x", b"y")


def fails(*_: object) -> bool:
    pytest.fail("in a function of a test")


def raises(*_: object) -> bool:
    raise LookupError("in a function of a test")


@pytest.mark.parametrize("where", ["connections", "match", "the fault itself"])
@pytest.mark.parametrize("function", [fails, raises])
@on_every_transport
def test_a_function_of_a_test_that_raises_is_an_error_and_ends_nothing_else(
    transport: str, function: Any, where: str
) -> None:
    with proxied(transport, strict=False) as (proxy, _):
        itself = where == "the fault itself"
        fault = proxy.fault(function) if itself else proxy.fault(Delay(0.001), **{where: function})
        with suppress(ConnectionError), client_of(proxy) as client:  # it may be reset at any time
            client.sendall(b"before")
            wait_until(lambda: len(proxy.errors) > 0)
        wait_until(lambda: len(proxy.errors) > 0)
        fault.heal()

        with client_of(proxy) as client:
            client.sendall(b"after")
            assert client.recv(100) == b"after"
        assert "in a function of a test" in str(proxy.errors.take()[0])


def echoed(client: socket.socket) -> bool:
    client.sendall(b"x")
    return client.recv(1) == b"x"


class Failing(Fault):
    """A fault that fails in one of its hooks."""

    applies_to = frozenset({"stream"})

    def __init__(self, hook: str) -> None:
        self.hook = hook

    def __repr__(self) -> str:
        return f"Failing({self.hook!r})"

    def begin(self, link: Any) -> None:
        self.reach("begin")

    def apply(self, item: Item, link: Any) -> tuple[Item, ...]:
        self.reach("apply")
        return (item,)

    def release(self, link: Any) -> tuple[Item, ...]:
        self.reach("release")
        return ()

    def reach(self, hook: str) -> None:
        if hook == self.hook:
            raise LookupError(hook)


def use(client: socket.socket, fault: FaultHandle, *, heals: bool) -> None:
    client.sendall(b"x")
    if heals:
        assert client.recv(1) == b"x"
        fault.heal()
    client.recv(1)


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("hook", ["begin", "apply", "release"])
def test_a_fault_that_fails_resets_its_connection_and_is_forgotten(hook: str, is_live: bool) -> None:
    with proxied("tcp", strict=False) as (proxy, _), ExitStack() as stack:
        client = stack.enter_context(client_of(proxy))
        assert echoed(client)
        fault = proxy.fault(Failing(hook), allow_unfired=True)
        with pytest.raises(ConnectionResetError):
            use(client if is_live else stack.enter_context(client_of(proxy)), fault, heals=hook == "release")
        fault.heal()

        with client_of(proxy) as client:
            assert echoed(client)
            if is_live:  # all others have ended
                only = proxy.fault(Delay(0.0), connections=first(1))  # counts from the oldest one that is open
                assert echoed(client)
                assert only.fired
        assert {str(error) for error in proxy.errors.take()} == {hook}


@pytest.mark.parametrize("size", [200_000, 300_000, 400_000])
def test_a_unix_datagram_as_large_as_its_sender_can_send_arrives_whole(size: int) -> None:
    private = PrivateSocketPath()
    with ExitStack() as stack:
        stack.callback(private.remove)
        server, client = (stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) for _ in range(2))
        server.bind(private.path)
        server.settimeout(DEADLINE)
        proxy = stack.enter_context(FaultProxy(private.path))
        client.settimeout(DEADLINE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        client.bind("")
        try:
            client.sendto(bytes(size), proxy.address)
        except OSError as error:
            pytest.skip(f"this system's limit is lower: {error}")

        data, peer = server.recvfrom(2 * size)
        assert len(data) == size
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        server.sendto(data, peer)
        assert len(client.recv(2 * size)) == size
        assert len(proxy.connections[0].upstream) == size


@on_every_stream
def test_a_forked_child_that_leaves_the_with_takes_nothing_away(transport: str) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listening(transport))
        proxy = stack.enter_context(FaultProxy(listener.getsockname()))
        assert ended_well(forked(lambda: proxy.__exit__(None, None, None)))

        with connected(listener.family, proxy.address) as client:
            server, _ = listener.accept()
            with server:
                client.sendall(b"x")
                assert server.recv(1) == b"x"
