"""`pytest_windsock.fixture`: servers that outlive a test, each of whose tests is judged by itself."""

from __future__ import annotations

import pytest

import pytest_windsock
from tests.plugin.conftest import Run
from windsock import UsageError

HEAD = """
    import socket

    import pytest
    import pytest_windsock

    @pytest_windsock.fixture(scope="module", framing="lines")
    def redis(server):
        server.on(b"PING").reply(b"PONG\\r\\n")

    @pytest.fixture(scope="module")
    def pool(redis):
        with socket.create_connection(redis.address, timeout=10) as client:
            yield client

    def say(client, data):
        client.sendall(data)
        return client.recv(100)

    def ask(server, data):
        with socket.create_connection(server.address, timeout=10) as client:
            return say(client, data)
"""


def test_one_server_serves_all_tests_and_each_sees_its_own_requests(run: Run) -> None:
    result = run(
        HEAD
        + """
    addresses = set()

    @pytest.mark.parametrize("number", range(3))
    def test_each(redis, number):
        assert len(redis.requests) == 0
        ask(redis, b"PING\\r\\n")
        assert [each.connection for each in redis.requests] == [0]
        addresses.add(redis.address)

    def test_same():
        assert len(addresses) == 1
    """
    )

    result.assert_outcomes(passed=4)


def test_a_client_that_is_pooled_over_tests_leaks_nothing(run: Run) -> None:
    result = run(
        HEAD
        + """
    @pytest.mark.parametrize("number", range(3))
    def test_each(redis, pool, number):
        assert say(pool, b"PING\\r\\n") == b"PONG\\r\\n"
        assert redis.requests.only().data == b"PING\\r\\n"
    """
    )

    result.assert_outcomes(passed=3)


def test_rules_and_faults_of_a_test_are_gone_after_it(run: Run) -> None:
    result = run(
        HEAD
        + """
    from windsock.faults import Reset

    def test_own(redis):
        redis.on(b"PING").reply(b"OTHER\\r\\n")
        assert ask(redis, b"PING\\r\\n") == b"OTHER\\r\\n"

    def test_fault(redis):
        redis.fault(Reset(), match=b"PING")
        with pytest.raises(ConnectionResetError):
            ask(redis, b"PING\\r\\n")

    def test_shared(redis):
        assert ask(redis, b"PING\\r\\n") == b"PONG\\r\\n"
        assert redis.firings == []
    """
    )

    result.assert_outcomes(passed=3)


def test_the_guilty_test_fails_and_its_report_has_its_own_part(run: Run) -> None:
    result = run(
        HEAD
        + """
    def test_before(redis):
        ask(redis, b"PING\\r\\n")

    def test_guilty(redis):
        ask(redis, b"WRONG\\r\\n")

    def test_unmet(redis):
        redis.on(b"NEVER").reply(b"x")

    def test_after(redis):
        ask(redis, b"PING\\r\\n")

    def test_without():
        pass
    """
    )

    result.assert_outcomes(passed=3, failed=2)
    text = result.stdout.str()
    result.stdout.fnmatch_lines(
        ["*test_guilty*", "*UnexpectedMessage: received b'WRONG*", "*redis, ThreadingTCPServer*1 connection -*"]
    )
    result.stdout.fnmatch_lines(["*test_unmet*", "*Unmet: on(b'NEVER').reply(b'x'): never matched*", "*0 connections*"])
    assert "b'PING" not in text.replace("on(b'PING')", "")


def test_a_fixture_of_the_test_is_a_part_of_the_test(run: Run) -> None:
    result = run(
        HEAD
        + """
    @pytest.fixture
    def logged_in(redis):
        redis.on(b"LOGIN").reply(b"OK\\r\\n")
        assert ask(redis, b"LOGIN\\r\\n") == b"OK\\r\\n"
        yield
        ask(redis, b"WRONG\\r\\n")

    def test_it(redis, logged_in):
        assert redis.requests.only().data == b"LOGIN\\r\\n"

    def test_next(redis):
        assert len(redis.requests) == 0
    """
    )

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "*UnexpectedMessage: received b'WRONG*"])


def test_a_wider_fixture_defines_for_all_its_tests(run: Run) -> None:
    result = run(
        HEAD
        + """
    class TestMore:
        @pytest.fixture(scope="class", autouse=True)
        @classmethod
        def more(cls, redis):
            redis.on(b"MORE").reply(b"MERE\\r\\n")
            ask(redis, b"MORE\\r\\n")

        @pytest.mark.parametrize("number", range(2))
        def test_more(self, redis, number):
            assert len(redis.requests) == 0
            assert ask(redis, b"MORE\\r\\n") == b"MERE\\r\\n"
    """
    )

    result.assert_outcomes(passed=2)


def test_a_late_error_names_its_test_and_spares_the_next_one(run: Run) -> None:
    result = run(
        """
    import socket, threading

    import pytest_windsock

    may = threading.Event()

    def handler(request, client_address, server):
        request.recv(100)
        assert may.wait(10)
        raise ValueError("late")

    @pytest_windsock.fixture(scope="module", handler=handler, framing="lines")
    def slow(server):
        client = socket.create_connection(server.address, timeout=10)
        server.client = client
        yield
        client.close()

    def test_guilty(slow):
        slow.client.sendall(b"x\\n")
        slow.requests.wait(1)

    def test_next(slow):
        may.set()
        slow.connections.wait(1)

    def test_last():
        pass
    """
    )

    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*ValueError: late*", "*while handling #0*, after the end of *::test_guilty*"])


def test_a_test_that_starts_the_server_late_has_a_checkpoint_too(run: Run) -> None:
    result = run(
        HEAD
        + """
    def test_late(request):
        redis = request.getfixturevalue("redis")
        redis.on(b"OWN").reply(b"x")
        ask(redis, b"OWN\\r\\n")

    def test_next(redis):
        assert len(redis.requests) == 0
        assert ask(redis, b"PING\\r\\n") == b"PONG\\r\\n"
        assert len(redis.fake.rules) == 1
    """
    )

    result.assert_outcomes(passed=2)


def test_params_are_options_of_one_server_each(run: Run) -> None:
    result = run(
        """
    import socket

    import pytest
    import pytest_windsock

    @pytest_windsock.fixture(
        scope="module",
        params=[{"concurrency": "forking"}, {"transport": "unix_stream", "tls": False}, {"tls": True}, {}],
    )
    def echo(server):
        server.echo()

    @pytest.mark.parametrize("number", range(2))
    def test_each(echo, number):
        with echo.connect() as client:
            client.send(b"x").expect(b"x")
        assert echo.connections[0].upstream == b"x"
    """,
        "-v",
    )

    result.assert_outcomes(passed=8)
    text = result.stdout.str()
    assert all(f"test_each[{each}-1]" in text for each in ("forking", "unix_stream-tls", "tls", "plain"))


def test_params_may_be_every_kind_of_server(run: Run) -> None:
    result = run(
        """
    import pytest_windsock

    which = pytest_windsock.combinations(transports=["tcp", "udp"], concurrency=["sync", "trio"])

    @pytest_windsock.fixture(scope="module", params=which)
    def echo(server):
        server.echo()

    def test_each(echo):
        with echo.connect() as client:
            client.send(b"x").expect(b"x")
    """,
        "-v",
    )

    result.assert_outcomes(passed=6)
    assert "test_each[tcp-trio-tls]" in result.stdout.str()


def test_datagrams_autouse_classes_and_other_fixtures(run: Run) -> None:
    result = run(
        """
    import socket

    import pytest
    import pytest_windsock

    @pytest.fixture(scope="session")
    def word():
        return b"word"

    class TestUdp:
        @pytest_windsock.fixture(scope="class", transport="udp", autouse=True, name="udp")
        @classmethod
        def udp_of_class(cls, server, word):
            \"\"\"A server of datagrams.\"\"\"
            server.on(b"ask").reply(word)
            cls.address = server.address

        @pytest.mark.parametrize("number", range(2))
        def test_it(self, number, request):
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(10)
                client.sendto(b"ask", self.address)
                assert client.recv(100) == b"word"
            assert request.getfixturevalue("udp").requests.only().data == b"ask"

        def test_guilty(self):
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.sendto(b"wrong", self.address)
    """
    )

    result.assert_outcomes(passed=2, failed=1)


def test_each_hypothesis_example_may_have_a_checkpoint(run: Run) -> None:
    result = run(
        HEAD
        + """
    from hypothesis import given, settings, strategies

    @settings(max_examples=10, deadline=None, database=None)
    @given(word=strategies.from_regex(r"[A-Z]{1,5}", fullmatch=True))
    def test_each(redis, pool, word):
        with redis.checkpoint():
            redis.on(word.encode()).reply(b"x\\r\\n")
            assert say(pool, word.encode() + b"\\r\\n") == b"x\\r\\n"
            assert redis.requests.only().data == word.encode() + b"\\r\\n"

    @settings(max_examples=10, deadline=None, database=None)
    @given(number=strategies.integers(0, 100))
    def test_unmet(redis, number):
        with redis.checkpoint():
            if number > 5:
                redis.on(b"%d" % number).reply(b"x")

    def test_after(redis):
        assert len(redis.requests) == 0 and len(redis.fake.rules) == 1
    """
    )

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*on(b'6').reply(b'x'): never matched*"])


def test_each_attempt_of_a_rerun_has_a_checkpoint(run_apart: Run) -> None:
    result = run_apart(
        HEAD
        + """
    attempts = []

    @pytest.mark.flaky(reruns=2)
    def test_flaky(redis):
        assert len(redis.requests) == 0 and len(redis.fake.rules) == 1
        redis.on(b"OWN").reply(b"x")
        ask(redis, b"OWN\\r\\n")
        attempts.append(1)
        assert len(attempts) == 3
    """,
        "-p",
        "rerunfailures",
    )

    assert result.parseoutcomes() == {"passed": 1, "rerun": 2}


def test_each_subtest_may_have_a_checkpoint(run: Run) -> None:
    result = run(
        HEAD
        + """
    def test_parts(redis, subtests):
        for number in range(3):
            with subtests.test(number=number), redis.checkpoint():
                assert len(redis.requests) == 0
                ask(redis, b"WRONG\\r\\n" if number == 1 else b"PING\\r\\n")
    """
    )

    assert "UnexpectedMessage: received b'WRONG" in result.stdout.str()
    assert result.parseoutcomes()["failed"] >= 1
    result.stdout.fnmatch_lines(["*(number=1)*"])
    assert "(number=2)" not in result.stdout.str()


def test_each_xdist_worker_has_a_server_of_its_own(run_apart: Run) -> None:
    result = run_apart(
        HEAD
        + """
    @pytest.mark.parametrize("number", range(6))
    def test_each(redis, number):
        ask(redis, b"PING\\r\\n")
        assert len(redis.requests) == 1
    """,
        "-n2",
    )

    result.assert_outcomes(passed=6)


def test_the_summary_counts_all_tests_on_a_server(run: Run) -> None:
    result = run(
        HEAD
        + """
    @pytest.mark.parametrize("number", range(3))
    def test_each(redis, pool, number):
        say(pool, b"PING\\r\\n")
        ask(redis, b"PING\\r\\n")
    """,
        "--windsock-summary",
    )

    result.stdout.fnmatch_lines(
        ["servers and proxies: 1", "connections: 4, datagrams: 0", "bytes: 36 upstream, 36 downstream"]
    )


def test_a_fixture_of_wider_scope_is_told_what_to_do(run: Run) -> None:
    result = run(
        """
    import pytest

    @pytest.fixture(scope="session")
    def wide(tcp_server):
        pass

    def test_it(wide):
        pass
    """
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "ScopeMismatch: You tried to access the function scoped fixture tcp_server with a session scoped*",
            "windsock: tcp_server ends with its test; for a server that outlives it, make a fixture with "
            "@pytest_windsock.fixture(scope=...)",
        ]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"scope": "sesion"},
            "fixture(scope='sesion'): expected one of 'function', 'class', 'module', 'package', 'session'",
        ),
        ({"framming": "lines"}, "fixture() got an unexpected keyword argument 'framming'"),
        ({"params": ["tcp"]}, "fixture(params=[... 'tcp']): expected dicts of options"),
        ({"params": [{"sco": 1}]}, "fixture() got an unexpected keyword argument 'sco'"),
    ],
    ids=["scope", "keyword", "param", "keyword in params"],
)
def test_invalid_options_are_refused_where_they_are_written(options: dict[str, object], message: str) -> None:
    with pytest.raises((UsageError, TypeError)) as caught:
        pytest_windsock.fixture(**options)  # type: ignore[arg-type]

    assert str(caught.value).startswith(message)


def test_combinations_have_known_keywords() -> None:
    with pytest.raises(UsageError, match=r"^combinations\(transport=...\): expected transports=, concurrency= or tls="):
        pytest_windsock.combinations(transport="tcp")


def test_a_set_up_function_takes_the_server() -> None:
    with pytest.raises(UsageError, match=r"^fixture\(\): wrong has no parameter 'server'; expected a function: def wr"):

        @pytest_windsock.fixture(scope="session")
        def wrong() -> None:
            pass


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 3", "fixture odd: it gave 3; expected nothing, since its value is the server"),
        ("yield\n        yield", "fixture odd: it has a second yield; expected one at most"),
    ],
    ids=["value", "two yields"],
)
def test_a_set_up_function_gives_nothing(run: Run, body: str, message: str) -> None:
    result = run(
        f"""
    import pytest_windsock

    @pytest_windsock.fixture(scope="module")
    def odd(server):
        {body}

    def test_it(odd):
        pass
    """
    )

    result.stdout.fnmatch_lines([f"*UsageError: {message}*"])


def test_a_test_that_stops_the_server_is_followed_by_clear_words(run: Run) -> None:
    result = run(
        HEAD
        + """
    def test_stops(redis):
        redis.stop()

    def test_next(redis):
        pass
    """
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*UsageError: checkpoint(): the redis is stopped already; expected one before stop()*"]
    )
