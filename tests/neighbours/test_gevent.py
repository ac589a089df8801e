"""gevent, which has patched the standard library before pytest imports a test."""

from __future__ import annotations

import pytest

from tests.neighbours.conftest import Run

pytest.importorskip("gevent", reason="gevent is not installed")

PATCHES = ["", "thread=False"]


@pytest.fixture(params=PATCHES)
def patched(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> str:
    """Have the tests run where gevent has patched that much."""
    pytester.makeconftest(f"from gevent import monkey; monkey.patch_all({request.param})")
    return str(request.param)


def test_everything_but_trio_works(patched: str, run: Run) -> None:
    result = run(
        """
        import pytest
        from tests.neighbours import scenarios

        @pytest.mark.parametrize("name", scenarios.WITHOUT_TRIO)
        def test_it(name):
            scenarios.ALL[name]()
        """
    )

    assert list(result.parseoutcomes()) == ["passed"]


def test_clients_in_greenlets_are_served_and_recorded(patched: str, run: Run) -> None:
    result = run(
        """
        import socket
        import gevent
        import pytest

        def ask(address, data=b"x"):
            family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
            with socket.socket(family) as client:
                client.settimeout(5)
                client.connect(address)
                client.sendall(data)
                return client.recv(100)

        @pytest.mark.parametrize("name", ["tcp_server", "selecting_tcp_server", "forking_unix_stream_server"])
        def test_many(name, request):
            server = request.getfixturevalue(name)
            server.echo()

            jobs = [gevent.spawn(ask, server.address, b"%d" % number) for number in range(20)]
            gevent.joinall(jobs, timeout=5)

            assert [job.value for job in jobs] == [b"%d" % number for number in range(20)]
            assert len(server.requests.wait(20)) == 20

        def test_through_a_proxy(tcp_server, fault_proxy):
            tcp_server.echo()

            assert ask(fault_proxy(tcp_server.address).address) == b"x"
        """
    )

    result.assert_outcomes(passed=4)


def test_greenlets_go_on_while_the_test_waits_for_windsock(patched: str, run: Run) -> None:
    result = run(
        """
        import socket
        import gevent, gevent.server
        import windsock
        from windsock.clients.connect_options import ConnectOptions
        from windsock.clients.connector import connector_to
        from windsock.clients.crowd import crowd

        def ask(address):
            with socket.create_connection(address, 5) as client:
                client.sendall(b"x")
                return client.recv(1)

        def test_requests(tcp_server):
            tcp_server.echo()
            client = gevent.spawn(ask, tcp_server.address)

            assert tcp_server.requests.wait(1)[0].data == b"x"
            assert client.get(timeout=5) == b"x"

        def test_a_scripted_client_of_a_server_of_gevents():
            server = gevent.server.StreamServer(("127.0.0.1", 0), lambda sock, _: sock.sendall(sock.recv(1)))
            server.start()

            with windsock.scripted_client(server.address) as client:
                client.send(b"x").expect(b"x")
            with windsock.proxy(server.address) as proxied, windsock.scripted_client(proxied.address) as client:
                client.send(b"x").expect(b"x")

            server.stop()

        def test_a_crowd_of_clients_of_a_server_of_gevents():
            server = gevent.server.StreamServer(("127.0.0.1", 0), lambda sock, _: sock.sendall(sock.recv(1)))
            server.start()
            connector = connector_to(server.address, ConnectOptions())

            assert crowd(connector, 5, windsock.Script().send(b"x").expect(b"x"), spread=0.01).met == 5

            server.stop()
        """
    )

    result.assert_outcomes(passed=3)


def test_trio_is_refused_at_once(patched: str, run: Run) -> None:
    result = run("def test_it(trio_tcp_server): pass")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *UsageError: concurrency='trio': trio does not run where gevent.monkey has patched the standard "
            "library; serve with concurrency='threading', 'forking', 'selecting' or 'sync'"
        ]
    )
