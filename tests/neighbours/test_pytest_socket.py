"""pytest-socket: what it allows works, and what it forbids is said in one sentence."""

from __future__ import annotations

import pytest

from tests.neighbours.conftest import Run

pytest.importorskip("pytest_socket", reason="pytest-socket is not installed")

SCENARIOS = """
    import pytest
    from tests.neighbours import scenarios

    @pytest.mark.parametrize("name", scenarios.{names})
    def test_it(name):
        scenarios.ALL[name]()
    """


@pytest.mark.parametrize(
    ("names", "options"),
    [
        ("UNIX", ["--disable-socket", "--allow-unix-socket"]),
        ("ALL", ["--allow-hosts=127.0.0.1"]),
        ("ALL", ["--allow-hosts=127.0.0.1,::1"]),
    ],
)
def test_what_is_allowed_works(names: str, options: list[str], run: Run) -> None:
    result = run(SCENARIOS.format(names=names), *options)

    assert list(result.parseoutcomes()) == ["passed"]


def test_our_own_connections_are_not_those_of_the_test(run: Run) -> None:
    """A relay over TCP connects to itself, with a host that the test may not connect to."""
    result = run(
        """
        import pytest, socket
        from windsock.faults import Delay

        @pytest.mark.windsock(faults=[Delay(0.01)])
        def test_it(tcp_server):
            tcp_server.echo()
            with socket.socket() as client:
                assert client.connect_ex(tcp_server.address) == 0  # which pytest-socket does not look at
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        """,
        "--allow-hosts=192.0.2.1",
    )

    result.assert_outcomes(passed=1)


FORBIDDEN = """
    import pytest, windsock
    from windsock.servers import BaseRequestHandler, TCPServer

    def test_fixture(tcp_server):
        pass

    @pytest.mark.windsock(relay=True)
    def test_relay(udp_server):
        pass

    def test_proxy(fault_proxy):
        fault_proxy(("127.0.0.1", 80))

    def test_client(scripted_client):
        scripted_client(("127.0.0.1", 80))

    def test_class():
        TCPServer(("127.0.0.1", 0), BaseRequestHandler)

    def test_standard_library(serve):
        import socketserver
        serve(socketserver.TCPServer, socketserver.BaseRequestHandler)
    """


def test_what_is_forbidden_is_said_in_one_sentence(run: Run) -> None:
    result = run(FORBIDDEN, "--disable-socket", "--allow-unix-socket")

    way_out = (
        "pytest_socket forbids AF_INET sockets here; mark the test with @pytest.mark.enable_socket "
        "(or use the fixture socket_enabled), or use a Unix transport"
    )
    found = [line for line in result.outlines if line.startswith("E  ")]
    assert [line.partition("SocketsForbidden: ")[2] for line in found] == [
        f"{what}: {way_out}"
        for what in ("tcp_server", "udp_server", "fault_proxy 1", "a client", "TCPServer", "sync tcp server")
    ]


def test_unix_sockets_may_be_forbidden_too(run: Run) -> None:
    result = run("def test_it(unix_stream_server): pass", "--disable-socket")

    result.stdout.fnmatch_lines(
        [
            "E *SocketsForbidden: unix_stream_server: pytest_socket forbids AF_UNIX sockets here; mark the test with "
            "@pytest.mark.enable_socket (or use the fixture socket_enabled), or pass --allow-unix-socket"
        ]
    )


@pytest.mark.parametrize("way", ["@pytest.mark.enable_socket", "@pytest.mark.usefixtures('socket_enabled')"])
def test_what_the_sentence_says_allows_them(way: str, run: Run) -> None:
    result = run(
        f"""
        import pytest

        {way}
        def test_it(tcp_server):
            tcp_server.echo()
            with tcp_server.connect() as client:
                client.send(b"x").expect(b"x")
        """,
        "--disable-socket",
    )

    result.assert_outcomes(passed=1)
