"""The transcript in reports: one for all servers of a test, limited in length, and all of it in a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.plugin.conftest import Run

LONG = """
    import socket

    def test_it(tcp_server):
        tcp_server.echo()
        with socket.create_connection(tcp_server.address, timeout=20) as client:
            for number in range(500):
                client.sendall(b"%03d" % number)
                assert client.recv(100) == b"%03d" % number
        assert False
    """


def lines_of(text: str) -> list[str]:
    """Return the lines of transcripts without their times."""
    return [line.partition(" ")[2] for line in text.splitlines() if line.startswith("+")]


def file_named_in(text: str) -> Path:
    (path,) = re.findall(r"^all lines: (.*)$", text, re.MULTILINE)
    return Path(path)


def test_servers_without_names_are_told_apart(run: Run) -> None:
    result = run(
        """
        import windsock

        def test_it(serve):
            one, two = serve(), serve()
            with windsock.serving() as three, windsock.proxy(one.address) as a, windsock.proxy(two.address) as b:
                for each in one, two, three:
                    each.echo()
                    with each.connect() as client:
                        client.send(b"x").expect(b"x")
                assert False
        """
    )

    names = [line.rpartition(" #")[0] for line in lines_of(result.stdout.str()) if " from " in line]
    server = "threading tcp server"
    assert names == [server, f"{server} 2", f"{server} 3"]
    result.stdout.fnmatch_lines([f"{server}, *", f"{server} 2, *", f"{server} 3, *", "<proxy on *", "<proxy 2 on *"])


def test_the_next_server_has_the_name_of_one_that_is_stopped(run: Run) -> None:
    result = run(
        """
        import windsock

        def test_it():
            names = []
            for _ in range(2):
                with windsock.serving() as server:
                    names.append(server.name)
            assert names == ["threading tcp server"] * 2
        """
    )

    result.assert_outcomes(passed=1)


def test_servers_and_proxies_are_on_one_timeline_in_the_order_of_time(run: Run) -> None:
    result = run(
        """
        def test_it(tcp_server, udp_server, fault_proxy, scripted_client):
            tcp_server.echo()
            udp_server.echo()
            proxy = fault_proxy(tcp_server.address)
            one = scripted_client(proxy.address)
            one.send(b"one").expect(b"one")
            with udp_server.connect() as two:
                two.send(b"two").expect(b"two")
            udp_server.connections.wait(1)
            assert False
        """
    )

    lines = lines_of(result.stdout.str())
    assert [line.partition(" from ")[0] for line in lines if "udp_server" in line or "body" in line] == [
        "udp_server #0",
        "udp_server #0 > 3 B b'two'",
        "udp_server #0 < 3 B b'two'",
        "udp_server #0 ended: server close",
        "--- the test's body ended: AssertionError",
    ]
    assert lines.index("fault_proxy 1 #0 > 3 B b'one'") < lines.index("tcp_server #0 > 3 B b'one'")
    assert lines.index("fault_proxy 1 #0 < 3 B b'one'") < lines.index("udp_server #0 > 3 B b'two'")
    result.stdout.fnmatch_lines(
        [
            "*--- windsock: 3 servers and proxies ---*",
            "tcp_server, ThreadingTCPServer on 127.0.0.1:*, 1 connection",
            "udp_server, ThreadingUDPServer on 127.0.0.1:*, 1 datagram",
            "<fault_proxy 1 on 127.0.0.1:* to 127.0.0.1:*, running, seed *>, 1 connection",
            "--- tcp_server #0 is still open, silent since +*",
            "--- fault_proxy 1 #0 is still open, silent since +*",
        ]
    )


def test_who_is_still_waiting_comes_last_with_the_line_of_the_handler(run: Run) -> None:
    result = run(
        """
        import pytest
        from windsock.servers import StreamRequestHandler

        class Shout(StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    self.wfile.write(line)

        @pytest.mark.windsock(handler=Shout)
        def test_it(tcp_server):
            client = tcp_server.connect()
            client.send(b"hello").expect(b"hello", timeout=0.1)
        """
    )

    result.stdout.re_match_lines(
        [
            r"\+\d\.\d{4} --- the test's body ended: ScriptTimeout",
            r"--- #0 is still open, silent since \+\d\.\d{4}; its handler waits at test_.*\.py:6 \(for line in .*\)",
        ],
        consecutive=True,
    )


def test_a_long_transcript_is_in_a_file_that_the_report_names(run: Run) -> None:
    text = run(LONG, "-p", "cacheprovider").stdout.str()

    shown, written = lines_of(text), lines_of(file_named_in(text).read_text())
    assert len(shown) == 59
    assert re.search(r"^\.\.\. 94\d more lines \.\.\.$", text, re.MULTILINE)
    assert len([line for line in written if line.startswith(("#0 >", "#0 <"))]) == 1000
    assert "--- the test's body ended: AssertionError" in written
    assert shown[:20] == written[:20]


def test_with_artifacts_the_report_names_their_transcript(run: Run, tmp_path: Path) -> None:
    text = run(LONG, f"--windsock-artifacts={tmp_path}").stdout.str()

    path = file_named_in(text)
    assert path.parent.parent == tmp_path
    assert path.name == "transcript.txt"
    assert "--- the test's body ended: AssertionError" in lines_of(path.read_text())


def test_without_a_place_for_the_file_the_report_says_how_to_see_all_lines(run: Run) -> None:
    result = run(LONG, "-p", "no:cacheprovider")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["all lines: pytest -vv"])


def test_with_vv_all_lines_are_in_the_report(run: Run) -> None:
    text = run(LONG, "-vv").stdout.str()

    assert len([line for line in lines_of(text) if line.startswith(("#0 >", "#0 <"))]) == 1000
    assert "more lines" not in text
    assert "all lines: " not in text


def test_of_a_thousand_connections_those_that_differ_are_shown(run: Run) -> None:
    result = run(
        """
        def test_it(tcp_server):
            tcp_server.on(b"GET\\n").reply(b"yes\\n", times=None)
            tcp_server.on(b"PUT\\n").reply(b"no\\n", times=None)
            for number in range(1000):
                with tcp_server.connect() as client:
                    client.send(b"PUT\\n" if number == 517 else b"GET\\n")
                    client.expect(b"no\\n" if number == 517 else b"yes\\n")
            assert False
        """
    )

    lines = lines_of(result.stdout.str())
    assert len(lines) < 20
    assert lines[1] == "#517 > 4 B b'PUT\\n'"
    result.stdout.fnmatch_lines(["--- 999 of the 1,000 connections of tcp_server are alike; the first of them:"])


FIXTURE = """
    import pytest

    @pytest.fixture
    def server(tcp_server):
        tcp_server.echo()
        with tcp_server.connect() as client:
            client.send(b"setup").expect(b"setup")
        if {in_setup}:
            raise LookupError("in the setup")
        yield tcp_server
        with tcp_server.connect() as client:
            client.send(b"teardown").expect(b"teardown")
        raise LookupError("in the teardown")

    @pytest.fixture
    def earlier(request):
        yield
        if {in_setup}:
            raise LookupError("in the teardown")

    def test_it(earlier, server):
        assert {passes}
    """


def test_a_failing_teardown_shows_what_came_before_it_too(run: Run) -> None:
    result = run(FIXTURE.format(in_setup=False, passes=True))

    result.assert_outcomes(passed=1, errors=1)
    found = [line for line in lines_of(result.stdout.str()) if line.startswith(("---", "#0 >", "#1 >"))]
    assert found == [
        "#0 > 5 B b'setup'",
        "--- the test's body ended",
        "#1 > 8 B b'teardown'",
        "--- the test's teardown ended: LookupError",
    ]


def test_a_teardown_that_fails_after_the_test_shows_only_what_came_then(run: Run) -> None:
    result = run(FIXTURE.format(in_setup=False, passes=False))

    result.assert_outcomes(failed=1, errors=1)
    first, second = result.stdout.str().split("= FAILURES =")
    assert "... as in the test's own report, and then:" in first
    assert [line for line in lines_of(first) if line.startswith(("---", "#0 >", "#1 >"))] == [
        "#1 > 8 B b'teardown'",
        "--- the test's teardown ended: LookupError",
    ]
    assert [line for line in lines_of(second) if line.startswith(("---", "#0 >", "#1 >"))] == [
        "#0 > 5 B b'setup'",
        "--- the test's body ended: AssertionError",
    ]


def test_a_setup_and_a_teardown_that_both_fail_are_shown(run: Run) -> None:
    result = run(FIXTURE.format(in_setup=True, passes=True))

    result.assert_outcomes(errors=2)
    assert "--- the test's setup ended: LookupError" in lines_of(result.stdout.str())
    result.stdout.fnmatch_lines(["*LookupError: in the setup*", "*LookupError: in the teardown*"])


def test_a_recording_that_cannot_be_shown_is_no_internal_error(run: Run) -> None:
    result = run(
        """
        import windsock

        def test_it(tcp_server, monkeypatch):
            monkeypatch.setattr(windsock.RunningServer, "describe", lambda self: 1 / 0)
            assert False

        def test_next(tcp_server):
            pass
        """
    )

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*what was recorded could not be shown: ZeroDivisionError*"])


@pytest.mark.parametrize("options", [[], ["-n1"]], ids=["alone", "xdist"])
def test_fifty_servers_have_a_bounded_report(options: list[str], run: Run) -> None:
    result = run(
        """
        def test_it(serve):
            for number in range(50):
                server = serve(name=f"server {number}").echo()
                with server.connect() as client:
                    client.send(b"x").expect(b"x")
            serve(name="the silent one")
            assert False
        """,
        *options,
    )

    text = result.stdout.str()
    assert "windsock: 51 servers and proxies" in text
    assert "... and 41 more" in text
    assert len(lines_of(text)) <= 60


def test_clients_with_faults_of_their_own_are_on_the_timeline(run: Run) -> None:
    result = run(
        """
        from windsock.faults import Delay

        def test_it(tcp_server, scripted_client):
            tcp_server.echo()
            with scripted_client(tcp_server.address, faults=[Delay(0.01)]) as one:
                one.send(b"one").expect(b"one")
            with tcp_server.connect(faults=[Delay(0.01)]) as two:
                two.send(b"two").expect(b"two")
            assert False
        """
    )

    lines = lines_of(result.stdout.str())
    assert lines.index("client's line 1 #0 > 3 B b'one'") < lines.index("tcp_server #0 > 3 B b'one'")
    assert lines.index("client's line 2 #0 > 3 B b'two'") < lines.index("tcp_server #1 > 3 B b'two'")
    assert "windsock: 3 servers and proxies" in result.stdout.str()
