"""Bad weather in tests: faults of fixtures, proxies that end with the test, and what a failing test shows of them."""

from __future__ import annotations

from tests.plugin.conftest import Run


def test_a_fixtures_server_takes_faults_and_the_marker_does(run: Run) -> None:
    result = run(
        """
        import pytest, socket
        from windsock.faults import HandlerError, Reset, first

        def test_fault(tcp_server):
            tcp_server.echo()
            with tcp_server.fault(Reset(after_bytes=1), connections=first(1), direction="downstream") as fault:
                with tcp_server.connect() as client:
                    client.send(b"xy").expect(b"x").expect_reset()
            assert fault.fired == 1

        @pytest.mark.windsock(faults=[(Reset(after_bytes=1), {"connections": 0})], seed=3)
        def test_marker(threading_tcp_server):
            with threading_tcp_server.connect() as client:
                client.send(b"x").expect_reset()
            assert threading_tcp_server.seed == 3

        def test_serve(serve):
            server = serve(faults=[HandlerError(ValueError("x"))])
            with server.connect() as client:
                client.expect_eof()

        @pytest.mark.windsock(relay=True)
        def test_any(any_server):
            any_server.echo()
            with any_server.connect() as client:
                client.send(b"x").expect(b"x")
        """
    )

    result.assert_outcomes(passed=33)


def test_a_fault_that_never_fired_fails_the_test_at_its_end(run: Run) -> None:
    result = run(
        """
        from windsock.faults import Delay

        def test_it(tcp_server):
            tcp_server.fault(Delay(1), connections=7)
        """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*FaultNeverFired: Delay(1), connections=7, never fired; the tcp_server had 0 connections, 0 B up,*",
            "*windsock: faults of tcp_server, --windsock-seed=*",
            "never fired: Delay(1)",
        ]
    )


def test_a_failing_test_shows_its_seed_and_what_faults_did(run: Run) -> None:
    result = run(
        """
        from windsock.faults import Delay

        def test_it(tcp_server):
            tcp_server.echo()
            with tcp_server.fault(Delay(0.01), direction="upstream"), tcp_server.connect() as client:
                client.send(b"x").expect(b"x")
            assert False
        """,
        "--windsock-seed=77",
    )

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [
            r"\+\d\.\d+ #0 ~ fault: Delay\(0\.01\) upstream at byte 0: .*",
            r"-+ windsock: faults of tcp_server, --windsock-seed=77 -+",
            r"seed \d+",
        ]
    )


def test_a_passing_test_says_nothing_of_faults(run: Run) -> None:
    result = run(
        """
        from windsock.faults import Delay

        def test_it(tcp_server):
            tcp_server.fault(Delay(0.01), allow_unfired=True)
        """,
        "-rA",
    )

    result.assert_outcomes(passed=1)
    assert "faults of" not in result.stdout.str()


def test_proxies_end_with_the_test_with_or_without_with(run: Run) -> None:
    result = run(
        """
        import socket, threading, windsock
        from windsock.faults import Delay

        proxies = []

        def test_it(serve, fault_proxy, scripted_client):
            server = serve().echo()
            with fault_proxy(server.address) as proxy, proxy.fault(Delay(0.01)) as late:
                scripted_client(proxy.address).send(b"x").expect(b"x")
            assert late.fired >= 2
            proxies.append(fault_proxy(server.address, name="the second"))
            scripted_client(proxies[0].address).send(b"y").expect(b"y")
            assert [each.data for each in server.requests] == [b"x", b"y"]

        def test_afterwards():
            try:
                socket.create_connection(proxies[0].address).close()
                assert False
            except ConnectionRefusedError:
                pass
            assert "stopped" in repr(proxies[0])
        """
    )

    result.assert_outcomes(passed=2)


def test_a_proxys_transcript_and_faults_are_in_the_report(run: Run) -> None:
    result = run(
        """
        from windsock.faults import Reset

        def test_it(tcp_server, fault_proxy, scripted_client):
            tcp_server.echo()
            proxy = fault_proxy(tcp_server.address, faults=[(Reset(after_bytes=2), {"direction": "upstream"})])
            scripted_client(proxy.address).send(b"hello").expect(b"hello")
        """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "<fault_proxy 1 on 127.0.0.1:* to 127.0.0.1:*, running, seed *>, 1 connection",
            "*fault_proxy 1 #0 > 5 B b'hello'",
            "*fault_proxy 1 #0 ~ fault: Reset(2) upstream at byte *",
            "*windsock: faults of fault_proxy 1, --windsock-seed=*",
        ]
    )


def test_a_proxys_fault_that_never_fired_fails_the_test(run: Run) -> None:
    result = run(
        """
        from windsock.faults import Delay

        def test_it(tcp_server, fault_proxy):
            fault_proxy(tcp_server.address).fault(Delay(1))
        """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*FaultNeverFired: Delay(1) never fired; the fault_proxy 1 had 0 connections,*"])


SEEDED = """
    import pytest
    from windsock.faults import Loss

    @pytest.mark.windsock(transport="udp")
    @pytest.mark.parametrize("number", range(3))
    def test_it(serve, fault_proxy, windsock_seed, number):
        one, two = serve(), serve()
        proxy = fault_proxy(two.address, transport="udp")
        print("seed of", number, "is", windsock_seed, one.seed, two.seed, proxy.fault_set.seed)
        assert one.seed == windsock_seed
        assert len({one.seed, two.seed, proxy.fault_set.seed}) == 3
    """


def test_servers_and_proxies_of_one_test_have_seeds_of_their_own_which_a_run_repeats(run: Run) -> None:
    def shown(*options: str) -> list[str]:
        result = run(SEEDED, "-s", *options)
        result.assert_outcomes(passed=3)
        return [line[line.index("seed of") :] for line in result.outlines if "seed of" in line]

    assert shown("--windsock-seed=7") == shown("--windsock-seed=7")
    assert shown("--windsock-seed=7") != shown("--windsock-seed=8")


def test_the_same_seed_makes_the_same_firings_in_a_second_run(run: Run) -> None:
    code = """
        import pytest
        from windsock.faults import Loss

        @pytest.mark.windsock(faults=[(Loss(0.3), {"direction": "upstream"})])
        def test_it(udp_server):
            with udp_server.connect() as client:
                for number in range(50):
                    client.send(b"%d" % number)
            udp_server.requests.wait(20)
            for line in udp_server.fault_report():
                print("fired:", line.partition(" ")[2])
        """

    def fired(seed: int) -> list[str]:
        result = run(code, "-s", f"--windsock-seed={seed}")
        result.assert_outcomes(passed=1)
        return [line[line.index("fired:") :] for line in result.outlines if "fired:" in line]

    one, again = fired(5), fired(5)

    assert one[:5] == again[:5] != fired(6)[:5]


def test_wrong_keywords_of_the_marker_are_found_before_the_first_test(run: Run) -> None:
    result = run(
        """
        import pytest
        from windsock.faults import Loss

        @pytest.mark.windsock(faults=[7])
        def test_it(tcp_server): pass
        """
    )

    result.stderr.fnmatch_lines(["ERROR: *test_it: @pytest.mark.windsock: 7: expected a fault, such as Delay(0.2)*"])


def test_partitions_cut_several_lines(run: Run) -> None:
    result = run(
        """
        import pytest, windsock

        def test_it(serve, fault_proxy, scripted_client):
            servers = [serve(), serve()]
            for each in servers:
                each.echo()
            lines = [fault_proxy(each.address) for each in servers]
            clients = [scripted_client(each.address) for each in lines]
            for each in clients:
                each.send(b"x").expect(b"x")
            with windsock.partition(lines[0], [lines[1]]) as cut:
                for each in clients:
                    each.send(b"y")
                    with pytest.raises(windsock.ScriptTimeout):
                        each.expect(b"y", timeout=0.05)
                cut.repair()
                for each in clients:
                    each.expect(b"y")
            with pytest.raises(windsock.UsageError, match="expected proxies"):
                windsock.partition(servers[0])
            with pytest.raises(windsock.UsageError, match="expected proxies"):
                windsock.partition()
        """
    )

    result.assert_outcomes(passed=1)


def test_what_a_client_sent_through_a_proxy_counts_in_whichever_order_fixtures_end(run: Run) -> None:
    result = run(
        """
        import socket
        import pytest
        from windsock.faults import Delay

        def send(server, proxies):
            server.on(b"log").reply(b"")
            proxy = proxies(server.address, faults=[Delay(0.02)])
            with socket.create_connection(proxy.address) as client:
                client.sendall(b"log")

        def test_the_proxy_ends_first(serve, fault_proxy):
            send(serve(), fault_proxy)

        def test_the_server_ends_first(fault_proxy, serve):
            send(serve(), fault_proxy)

        def test_a_server_of_a_fixture_ends_first(fault_proxy, tcp_server):
            send(tcp_server, fault_proxy)
        """
    )

    result.assert_outcomes(passed=3)
