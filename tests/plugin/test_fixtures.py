"""The fixtures: a server of an exact kind for a test, and a factory for more."""

from __future__ import annotations

from itertools import product

import pytest

from pytest_windsock import fixtures
from tests.plugin.conftest import Run
from tests.support.leaks import nothing_left, own_temporary_directory
from tests.support.servers import ask
from windsock import RunningPair, RunningServer
from windsock.harness import CONCURRENCIES, TRANSPORTS
from windsock.net import system

EXACT = {
    f"{concurrency}_{transport}_server": (transport, concurrency)
    for transport, concurrency in product(TRANSPORTS, CONCURRENCIES)
}
BY_TRANSPORT = {f"{transport}_server": (transport, "threading") for transport in TRANSPORTS}


@pytest.mark.parametrize(("name", "kind"), [*EXACT.items(), *BY_TRANSPORT.items()], ids=lambda value: str(value))
def test_each_fixture_serves_its_exact_class(name: str, kind: tuple[str, str], request: pytest.FixtureRequest) -> None:
    server: RunningServer = request.getfixturevalue(name)
    transport, concurrency = kind
    server.echo()

    assert type(server.server).__name__ == CONCURRENCIES[concurrency] + TRANSPORTS[transport]
    assert ask(server, b"hello") == [b"hello"]
    assert server.requests.only().data == b"hello"


def test_each_fixture_has_a_docstring_that_pytest_shows(run: Run) -> None:
    text = run("", "--fixtures", "-q").stdout.str()

    for name in [*EXACT, *BY_TRANSPORT, "serve", "tcp_udp_server"]:
        assert f"\n{name} -- " in text
    assert "    A server for Unix datagram sockets, a process for each request." in text
    assert "    A server for TCP streams; by default a thread for each request." in text
    assert "    Factory of servers: serve(MyHandler), serve(MyServer, MyHandler)" in text


def test_each_fixture_is_a_new_server_for_each_test(run: Run) -> None:
    result = run(
        """
        ports = set()

        def test_one(tcp_server):
            ports.add(id(tcp_server.requests))
            tcp_server.echo()

        def test_two(tcp_server):
            ports.add(id(tcp_server.requests))
            assert len(tcp_server.connections) == 0

        def test_both(tcp_server, serve, threading_tcp_server):
            assert len({tcp_server.port, serve().port, threading_tcp_server.port}) == 3
        """
    )

    result.assert_outcomes(passed=3)


def test_the_factory_takes_what_serving_takes(run: Run) -> None:
    result = run(
        """
        import pytest, windsock
        from windsock import servers

        class Mine(servers.ThreadingMixIn, servers.UnixStreamServer): pass

        def handler(request, client_address, server):
            request.sendall(b"mine")

        def test_it(serve):
            assert type(serve().server) is servers.ThreadingTCPServer
            assert type(serve(handler, concurrency="forking").server) is servers.ForkingTCPServer
            assert type(serve(transport="unix_datagram").server) is servers.ThreadingUnixDatagramServer
            assert type(serve(Mine).server) is Mine
            assert serve(Mine, handler, name="the mine").name == "the mine"

        @pytest.mark.windsock(handler=handler, timeout=2)
        def test_the_marker_holds_for_it(serve):
            assert serve().options.handler is handler
            assert serve(Mine).options.handler is handler
            assert serve(Mine, print).options.handler is print
            assert serve(timeout=1).options.timeout == 1
            assert serve().options.timeout == 2
        """
    )

    result.assert_outcomes(passed=2)


def test_all_failures_of_several_servers_are_shown(run: Run) -> None:
    result = run(
        """
        import socket

        def one(request, client_address, server):
            raise LookupError("first server")

        def two(request, client_address, server):
            raise KeyError("second server")

        def test_it(serve):
            for server in (serve(one), serve(two)):
                with socket.create_connection(server.address) as client:
                    client.recv(1)
        """
    )

    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "several servers had errors (2 sub-exceptions)" in text
    assert "LookupError: first server" in text
    assert "KeyError: 'second server'" in text


WITHOUT = """
    import pytest
    from windsock.net.system import os, socket

    @pytest.fixture(autouse=True)
    def without(monkeypatch):
        monkeypatch.delattr({missing})
    """


@pytest.mark.parametrize(
    ("fixture", "missing", "reason"),
    [
        ("forking_tcp_server", "os, 'fork'", "concurrency='forking' needs os.fork()"),
        ("unix_stream_server", "socket, 'AF_UNIX'", "transport='unix_stream' needs AF_UNIX sockets"),
        ("sync_unix_datagram_server", "socket, 'AF_UNIX'", "transport='unix_datagram' needs AF_UNIX sockets"),
    ],
)
def test_a_platform_that_lacks_something_skips_with_the_reason(
    fixture: str, missing: str, reason: str, run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(WITHOUT.format(missing=missing))

    result = run(f"def test_it({fixture}): pass", "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"SKIPPED*{reason}, which this platform does not have"])


def test_a_platform_without_records_skips_with_the_reason(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest
        from windsock.options import combinations

        @pytest.fixture(autouse=True)
        def without(monkeypatch):
            monkeypatch.setattr(combinations, "are_supported", lambda: False)
        """
    )

    result = run("def test_it(forking_unix_seqpacket_server): pass", "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*transport='unix_seqpacket' needs SOCK_SEQPACKET for Unix sockets*"])


def test_a_marked_test_is_skipped_for_the_same_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(system.os, "fork")  # before the marker is checked

    result = run(
        """
        import pytest

        @pytest.mark.windsock(concurrency="forking")
        def test_it(tcp_server): pass
        """
    )

    result.assert_outcomes(skipped=1)


def test_two_hundred_tests_in_a_row_leave_nothing(run: Run) -> None:
    code = """
        import pytest, socket

        @pytest.mark.parametrize("number", range(50))
        @pytest.mark.parametrize("kind", ["sync_tcp", "threading_unix_stream", "forking_tcp", "threading_udp"])
        def test_it(kind, number, request):
            request.getfixturevalue(f"{kind}_server").echo()
        """
    run(code).assert_outcomes(passed=200)
    fixtures.close()  # idle threads of the tests before this one would end by themselves meanwhile

    with own_temporary_directory(), nothing_left():
        run(code).assert_outcomes(passed=200)


def test_recordings_do_not_outlive_their_tests(run: Run) -> None:
    result = run(
        """
        import gc, weakref
        seen = []

        def test_one(tcp_server):
            seen.append(weakref.ref(tcp_server))

        def test_two():
            gc.collect()
            assert seen[0]() is None
        """
    )

    result.assert_outcomes(passed=2)


def test_the_fixture_of_a_pair_serves_tcp_and_udp_on_one_port(tcp_udp_server: RunningPair) -> None:
    tcp_udp_server.tcp.echo()
    tcp_udp_server.udp.echo()

    assert ask(tcp_udp_server.tcp, b"stream") == [b"stream"]
    assert ask(tcp_udp_server.udp, b"datagram") == [b"datagram"]
    assert [each.data for each in tcp_udp_server.requests.wait(2)] == [b"stream", b"datagram"]


def test_the_marker_gives_a_pair_its_handlers_and_other_fixtures_none(run: Run) -> None:
    result = run(
        """
        import pytest, socket
        from windsock import LengthPrefix

        def answer(request, client_address, server):
            request[1].sendto(b"by hand", client_address)

        @pytest.mark.windsock(udp_handler=answer, framing=LengthPrefix(2))
        def test_it(tcp_udp_server, udp_server):
            tcp_udp_server.tcp.reply(b"never sent")
            assert udp_server.fake is not None
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(5)
                client.sendto(b"x", tcp_udp_server.address)
                assert client.recv(100) == b"by hand"
        """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*tcp_udp_server (tcp)*unmet expectations*"])


def test_a_marker_of_a_pair_with_a_keyword_of_other_servers_is_refused(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.windsock(path="/tmp/x")
        def test_it(tcp_udp_server):
            pass
        """
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*serving_pair() got an unexpected keyword argument 'path'"])


def test_a_marker_puts_a_server_into_a_group(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.windsock(multicast="239.1.2.3")
        def test_multicast(udp_server):
            assert udp_server.host == "239.1.2.3"

        @pytest.mark.windsock(broadcast=True)
        def test_broadcast(udp_server):
            assert udp_server.host == "127.255.255.255"

        @pytest.mark.windsock(multicast="239.1.2.3")
        def test_a_stream(tcp_server):
            pass
        """
    )

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*multicast='239.1.2.3': that is for transport='udp', and this server is 'tcp'"])
