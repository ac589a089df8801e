"""`--windsock-summary`: what all servers of a run have done, and nothing without the option."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run
from windsock import FaultProxy, RunningServer

TESTS = """
    import pytest, socket, windsock
    from windsock.faults import Delay, Drop

    def test_one(tcp_server, fault_proxy):
        tcp_server.echo()
        with tcp_server.connect() as client:
            client.send(b"x" * 1000).expect(b"x" * 1000)
        proxy = fault_proxy(tcp_server.address, faults=[Delay(0.001)])
        with socket.create_connection(proxy.address):
            pass
        tcp_server.connections.wait(2)

    @pytest.mark.windsock(tls=True)
    def test_two(forking_tcp_server):
        forking_tcp_server.echo()
        with forking_tcp_server.connect() as client:
            client.send(b"y" * 10).expect(b"y" * 10)

    @pytest.mark.windsock(strict=False)
    def test_three(udp_server):
        udp_server.echo()
        udp_server.fault(Drop(3))
        udp_server.fault(Delay(0.001))
        with udp_server.connect() as client:
            client.send(b"z" * 5).expect(b"z" * 5)

    def test_four():
        with windsock.serving(name="of a with") as server:
            pass
"""
FIGURES = [
    "*= windsock summary =*",
    "servers and proxies: 5",
    "  forking tcp, TLS: 1",
    "  proxy tcp: 1",
    "  threading tcp: 2",
    "  threading udp: 1",
    "connections: 4, datagrams: 1",
    "bytes: 1,015 upstream, 1,015 downstream",
    "fault Delay: 2 installed, 0 never fired, * firings",
    "fault Drop: 1 installed, 1 never fired, 0 firings",
    "slowest start: * ms, * in test_*.py::test_*",
    "slowest stop: * ms, * in test_*.py::test_*",
]


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["one process", "two workers"])
def test_the_figures_of_all_processes_are_shown(run_apart: Run, options: tuple[str, ...]) -> None:
    result = run_apart(TESTS, "--windsock-summary", *options)

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(FIGURES)


def test_without_the_option_nothing_is_counted_or_shown(run_apart: Run) -> None:
    result = run_apart(
        """
        import sys

        def test_it(tcp_server):
            assert "pytest_windsock.summary" not in sys.modules
        """
    )

    result.assert_outcomes(passed=1)
    assert "summary" not in result.stdout.str()


def test_a_run_leaves_no_wrappers_behind(run: Run) -> None:
    before = RunningServer.__init__, RunningServer.stop, FaultProxy.__init__, FaultProxy.stop

    result = run("def test_it(tcp_server): pass", "--windsock-summary")

    result.stdout.fnmatch_lines(["servers and proxies: 1"])
    assert (RunningServer.__init__, RunningServer.stop, FaultProxy.__init__, FaultProxy.stop) == before


def test_a_run_without_servers_has_figures_too(run: Run) -> None:
    result = run("def test_it(): pass", "--windsock-summary")

    result.stdout.fnmatch_lines(["servers and proxies: 0", "connections: 0, datagrams: 0"])


def test_what_could_not_be_started_or_stopped_is_no_problem(run: Run) -> None:
    result = run(
        """
        import pytest, windsock

        def test_it(tcp_server):
            with pytest.raises(windsock.StartError):
                windsock.serving(port=tcp_server.port)
            with pytest.raises(windsock.StillRunning):
                stuck()

        def stuck():
            import threading
            released = threading.Event()
            try:
                with windsock.serving(lambda *_: released.wait(20), timeout=0.2, name="the stuck one") as server:
                    server.connect().send(b"x")
            finally:
                released.set()
        """,
        "--windsock-summary",
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["servers and proxies: 2", "connections: 1, *", "slowest stop: * ms, the stuck one in *"]
    )


def test_a_worker_that_crashed_is_named(run_apart: Run) -> None:
    result = run_apart(
        """
        import os

        def test_it(tcp_server):
            os._exit(3)
        """,
        "--windsock-summary",
        "-n1",
    )

    result.stdout.fnmatch_lines(["without the figures of workers that crashed: gw0"])


def test_the_option_is_explained(run: Run) -> None:
    result = run("", "--help")

    result.stdout.fnmatch_lines(["*--windsock-summary*windsock: show at the end what all servers and proxies*"])
