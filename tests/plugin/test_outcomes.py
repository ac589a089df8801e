"""What handlers raise is the outcome of the test itself: a failure, a skip, an xfail, or the end of the run."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Run

CLIENT = """
    import contextlib, socket, unittest
    import pytest

    def provoke(server):
        with socket.create_connection(server.address, 10) as client:
            client.sendall(b"x")
            while client.recv(100):
                pass

    def raising(error):
        def handler(request, client_address, server):
            request.recv(100)
            raise error
        return handler
    """
EVERY = ["sync", "threading", "forking", "selecting", "trio"]


@pytest.mark.parametrize("concurrency", EVERY)
def test_a_fail_in_a_handler_fails_the_test_at_its_own_line(run: Run, concurrency: str) -> None:
    result = run(
        CLIENT
        + f"""
    def handler(request, client_address, server):
        pytest.fail(f"client said {{request.recv(100)!r}}")

    @pytest.mark.windsock(handler=handler)
    def test_it({concurrency}_tcp_server):
        provoke({concurrency}_tcp_server)
    """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ['*pytest.fail(f"client said {request.recv(100)!r}")*', "*Failed: client said b'x'*", "*#0 ! handler error:*"]
    )


@pytest.mark.parametrize("concurrency", EVERY)
def test_a_skip_and_an_xfail_in_a_handler_are_those_of_the_test(run: Run, concurrency: str) -> None:
    result = run(
        CLIENT
        + f"""
    @pytest.mark.windsock(handler=lambda *_: pytest.skip("no such thing here"))
    def test_skip({concurrency}_tcp_server):
        provoke({concurrency}_tcp_server)

    @pytest.mark.windsock(handler=lambda *_: pytest.xfail("known"))
    def test_xfail({concurrency}_tcp_server):
        provoke({concurrency}_tcp_server)
    """,
        "-rsx",
    )

    result.assert_outcomes(skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["*SKIPPED*no such thing here*", "*XFAIL*known*"])


def test_an_exit_in_a_handler_ends_the_run(run: Run) -> None:
    result = run(
        CLIENT
        + """
    @pytest.mark.windsock(handler=lambda *_: pytest.exit("enough", 7))
    def test_it(tcp_server):
        provoke(tcp_server)

    def test_never(): pass
    """
    )

    assert result.ret == 7
    assert "passed" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*Exit: enough*"])
    assert "INTERNALERROR" not in result.stdout.str()


@pytest.mark.parametrize("what", ["SystemExit(3)", "KeyboardInterrupt()", "GeneratorExit()", "BaseException('odd')"])
def test_whatever_else_a_handler_raises_fails_the_test_and_the_run_goes_on(run: Run, what: str) -> None:
    result = run(
        CLIENT
        + f"""
    @pytest.mark.windsock(handler=raising({what}))
    def test_it(tcp_server, forking_tcp_server, udp_server):
        provoke(tcp_server)
        provoke(forking_tcp_server)

    def test_next(): pass
    """
    )

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*several servers had errors (2 sub-exceptions)*", f"*{what.partition('(')[0]}*"])


def test_an_error_beats_a_skip(run: Run) -> None:
    result = run(
        CLIENT
        + """
    def test_it(serve):
        provoke(serve(lambda *_: pytest.skip("no such thing here")))
        provoke(serve(raising(LookupError("broken"))))
    """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*LookupError: broken*"])


def test_an_expected_failure_may_come_from_a_handler(run: Run) -> None:
    result = run(
        CLIENT
        + """
    @pytest.mark.xfail(raises=pytest.fail.Exception, strict=True)
    @pytest.mark.windsock(handler=lambda *_: pytest.fail("known"))
    def test_it(tcp_server):
        provoke(tcp_server)
    """
    )

    result.assert_outcomes(xfailed=1)


def test_what_failed_the_test_is_not_raised_again_when_it_is_torn_down(run: Run) -> None:
    result = run(
        CLIENT
        + """
    from windsock.faults import Delay

    def test_fake(tcp_server):
        tcp_server.on(b"PING").reply(b"PONG")
        provoke(tcp_server)

    def test_proxy(serve, fault_proxy):
        def fault(item, link):
            pytest.fail("in a fault")

        proxy = fault_proxy(serve(strict=False).address)
        proxy.fault(Delay(0.001), connections=7)
        with proxy.fault(fault, allow_unfired=True), contextlib.suppress(ConnectionResetError):
            provoke(proxy)
    """
    )

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*windsock: the tcp_server: on(b'PING').reply(b'PONG'): never matched*", "*UnexpectedMessage: received b'x'*"]
    )


def test_servers_still_run_when_other_fixtures_are_torn_down(run: Run) -> None:
    result = run(
        CLIENT
        + """
    @pytest.fixture
    def session(tcp_server):
        client = socket.create_connection(tcp_server.address, 10)
        yield client
        client.sendall(b"bye")
        assert client.recv(100) == b"bye"
        client.close()

    def test_it(tcp_server, session):
        tcp_server.echo()
    """
    )

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("late", ["pytest.fail('late')", "pytest.skip('late')", "exit(3)", "int('late')"])
def test_what_is_raised_after_the_test_is_an_outcome_of_its_teardown(run: Run, late: str) -> None:
    result = run(
        CLIENT
        + f"""
    torn_down = []

    @pytest.fixture
    def first():
        yield
        torn_down.append("first")

    @pytest.fixture
    def session(serve):
        server = serve(lambda *_: {late})
        yield
        provoke(server)

    def test_it(first, session): pass

    def test_next():
        assert torn_down == ["first"]
    """
    )

    result.assert_outcomes(passed=2, **({"skipped": 1} if "skip" in late else {"errors": 1}))
    assert "INTERNALERROR" not in result.stdout.str()


def test_a_body_that_has_failed_keeps_its_own_failure(run: Run) -> None:
    result = run(
        CLIENT
        + """
    @pytest.mark.windsock(handler=raising(LookupError("broken")))
    def test_it(tcp_server):
        provoke(tcp_server)
        assert not "mine"
    """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*assert not 'mine'*",
            "E  *windsock: the tcp_server had an error too: LookupError: broken",
            'E  *File "*test_a_body_that_has_failed_keeps_its_own_failure.py", line *',
            "E  *raise error",
        ]
    )


def test_a_unittest_and_a_doctest_are_judged_too(run: Run, pytester: pytest.Pytester) -> None:
    name = "test_a_unittest_and_a_doctest_are_judged_too"
    pytester.makeconftest(  # pytest 8.0.0 does not find a module's own autouse fixtures for its doctests
        CLIENT
        + """
    @pytest.fixture(autouse=True)
    def names(doctest_namespace, serve):
        doctest_namespace.update(server=serve(raising(LookupError("broken"))), provoke=provoke)
    """
    )
    result = run(
        CLIENT
        + '''
    class Uses(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _server(self, serve):
            self.server = serve(raising(LookupError("broken")))

        def test_passes_but_for_its_handler(self):
            provoke(self.server)

        def test_fails(self):
            provoke(self.server)
            self.fail("mine")

    def documented():
        """
        >>> provoke(server)
        """
    ''',
        "--doctest-modules",
    )

    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines_random(
        [
            f"FAILED {name}.py::{name}.documented*",
            f"FAILED {name}.py::Uses::test_passes_but_for_its_handler*",
            f"FAILED {name}.py::Uses::test_fails*",
            "*windsock: the threading tcp server 2 had an error too: LookupError: broken*",
        ]
    )
    told = re.findall(r"threading tcp server (?:2 )?on (\S+): errors in handlers", result.stdout.str())
    assert len(set(told)) == 2
