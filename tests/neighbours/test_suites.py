"""Each neighbour by itself beside windsock: a suite passes where it should, and what fails or hangs explains itself."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from typing import TypeAlias

import pytest

import pytest_windsock.marker  # noqa: F401
import windsock
from tests.neighbours import suites
from tests.neighbours.conftest import ENVIRONMENT
from tests.support.async_loops import HAS_UVLOOP

for each in pkgutil.walk_packages(windsock.__path__, "windsock."):
    importlib.import_module(each.name)  # the inner runs are to find them imported: they forget what they import

PLUGIN = ("-p", "pytest_windsock.plugin", "-p", "pytest_timeout", "-W", "error", "-o", "windsock_timeout=30")
FINDING = "would match on(b'PING\\r\\n') but for the line end: it ends with b'\\n'"
HUNG = re.compile(r"windsock: the test hung: .*\n.*the test stood at ")

Outcomes: TypeAlias = dict[str, int]
Beside: TypeAlias = Callable[..., str]


def check(text: str, **outcomes: int) -> None:
    """Check the outcomes of a run: a failure shows a conclusion and a transcript, a test that `hung` where it stood."""
    hung = outcomes.pop("hung", 0)
    assert pytest.RunResult.parse_summary_nouns(text.splitlines()) == outcomes, text
    failed = outcomes["failed"] - hung
    assert (text.count(FINDING), len(re.findall("#0 > 5 B b'PING", text))) == (failed, failed), text
    assert len(HUNG.findall(text)) == hung, text


def without_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have inner runs load only the plugins that they name."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def beside(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Beside:
    """Run tests beside what the options name, and no other plugin but what windsock needs; return what is printed."""
    without_others(monkeypatch)

    def beside(code: str, *options: str, conftest: str = "") -> str:
        pytester.makepyfile(code)
        pytester.makeconftest(conftest)
        return str(pytester.runpytest_inprocess(*PLUGIN, *options).stdout)

    return beside


@pytest.fixture
def beside_apart(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Beside:
    """Do so in a process of its own."""
    without_others(monkeypatch)
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])

    def beside_apart(code: str, *options: str, conftest: str = "") -> str:
        pytester.makepyfile(code)
        pytester.makeconftest(conftest)
        return str(pytester.runpytest_subprocess(*PLUGIN, *options, timeout=120).stdout)

    return beside_apart


PLUGINS: dict[str, tuple[str, Outcomes]] = {
    "pytest-randomly": ("-p pytest_randomly", {"passed": 3, "failed": 1}),
    "pytest-rerunfailures": ("-p pytest_rerunfailures --reruns=1", {"passed": 3, "failed": 1, "rerun": 1}),
    "pytest-repeat": ("-p pytest_repeat --count=2", {"passed": 6, "failed": 2}),
    "pytest-socket": ("-p pytest_socket --disable-socket --allow-hosts=127.0.0.1", {"passed": 3, "failed": 1}),
}


@pytest.mark.parametrize("name", PLUGINS)
def test_a_suite_beside_a_plugin(name: str, beside: Beside) -> None:
    options, outcomes = PLUGINS[name]

    check(beside(suites.BLOCKING, *options.split()), **outcomes)


ONE_HUNG = {"passed": 1, "failed": 2, "hung": 1}
LOOPS: dict[str, tuple[str, str, Outcomes]] = {
    "pytest-asyncio, strict": (suites.ASYNCIO, "-p pytest_asyncio.plugin", ONE_HUNG),
    "pytest-asyncio, auto": (suites.ASYNCIO, "-p pytest_asyncio.plugin --asyncio-mode=auto", ONE_HUNG),
    "anyio": (suites.ANYIO, "-p anyio.pytest_plugin", {"passed": 2, "failed": 4, "hung": 2}),
    "pytest-trio": (suites.TRIO, "-p pytest_trio.plugin", ONE_HUNG),
}
FOR_ASYNCIO = ("-o", "asyncio_default_fixture_loop_scope=function", "-W", "ignore::DeprecationWarning")


@pytest.mark.parametrize("name", LOOPS)
def test_a_suite_in_an_event_loop(name: str, beside: Beside) -> None:
    code, options, outcomes = LOOPS[name]
    mark = name.partition(",")[0].removeprefix("pytest-")
    marked = code if "auto" in options else f"{code}\n    pytestmark = pytest.mark.{mark}"
    settings = FOR_ASYNCIO if mark == "asyncio" else ()

    check(beside(marked, *options.split(), *settings), **outcomes)


@pytest.mark.skipif(not HAS_UVLOOP, reason="uvloop has no wheel for this Python")
def test_a_suite_in_uvloop(beside: Beside) -> None:
    conftest = """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio", {"use_uvloop": True}
    """
    marked = f"{suites.ANYIO}\n    pytestmark = pytest.mark.anyio"

    check(beside(marked, "-p", "anyio.pytest_plugin", conftest=conftest), **ONE_HUNG)


CLOCKS = {"freezegun": "freezegun.freeze_time('2019-01-01')", "time_machine": "time_machine.travel(0, tick=False)"}


@pytest.mark.parametrize("tool", CLOCKS)
def test_a_suite_whose_clock_stands_still(tool: str, beside: Beside) -> None:
    pytest.importorskip(tool)
    conftest = f"""
        import pytest, {tool}

        @pytest.fixture(autouse=True)
        def frozen():
            with {CLOCKS[tool]}:
                yield
    """

    check(beside(suites.BLOCKING + suites.HANG, conftest=conftest), passed=3, failed=2, hung=1)


def test_servers_beside_mocks_of_what_they_use(beside: Beside) -> None:
    text = beside(
        suites.BLOCKING
        + """
    NAMES = ["time.sleep", "time.monotonic", "os.read", "os.fork", "threading.Thread", "socket.socket",
             "ssl.SSLContext"]

    def converse(server):
        with server.connect() as client:
            client.send(b"x").expect(b"x")

    def test_mocks_first(mocker, serve):
        for name in NAMES:
            mocker.patch(name)
        for concurrency in ("sync", "threading", "forking", "selecting"):
            converse(serve(concurrency=concurrency).echo())

    def test_mocks_last(tcp_server, mocker):
        for name in NAMES:
            mocker.patch(name)
        converse(tcp_server.echo())
""",
        "-p",
        "pytest_mock",
    )

    check(text, passed=5, failed=1)


def test_a_failing_example_of_hypothesis(beside: Beside) -> None:
    text = beside(
        suites.FAKE
        + """
    from hypothesis import HealthCheck, Phase, given, settings, strategies

    OPTIONS = {"deadline": None, "database": None, "phases": [Phase.generate]}

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], **OPTIONS)
    @given(end=strategies.sampled_from([b"\\r\\n", b"\\n"]))
    def test_that_fails(tcp_server, end):
        with tcp_server.checkpoint():
            tcp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
            assert ask(tcp_server, b"PING" + end) == b"PONG\\r\\n"
""",
        "-p",
        "_hypothesis_pytestplugin",
    )

    check(text, passed=1, failed=1)


FAKE_FILES = """
    import pytest

    @pytest.fixture(autouse=True)
    def fake(fs):
        yield
"""
SHARED = """
    import pytest_windsock

    @pytest_windsock.fixture(scope="module")
    def shared(server):
        server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
"""
USES_SHARED = """
    @pytest.mark.parametrize("number", range(4))
    def test_a_server_of_the_module(shared, number):
        assert ask(shared, b"PING\\r\\n") == b"PONG\\r\\n"
        assert len(shared.requests) == 1
"""


@pytest.mark.parametrize("way", ["load", "loadscope", "worksteal"])
def test_a_suite_in_workers_of_xdist(way: str, beside_apart: Beside) -> None:
    code = suites.BLOCKING + suites.HANG + USES_SHARED
    options = ("-p", "xdist.plugin", "-n2", f"--dist={way}")

    check(beside_apart(code, *options, conftest=SHARED), passed=7, failed=2, hung=1)


@pytest.mark.parametrize(
    ("options", "conftest"),
    [(("-p", "pyfakefs.pytest_plugin"), FAKE_FILES), ((), "from gevent import monkey; monkey.patch_all()")],
    ids=["pyfakefs", "gevent"],
)
def test_a_suite_where_the_standard_library_is_replaced(
    options: tuple[str, ...], conftest: str, beside_apart: Beside
) -> None:
    pytest.importorskip("gevent" if "gevent" in conftest else "pyfakefs")

    check(beside_apart(suites.BLOCKING + suites.HANG, *options, conftest=conftest), passed=3, failed=2, hung=1)


@pytest.mark.parametrize("workers", [0, 1])
def test_coverage_of_handlers_in_children(workers: int, beside_apart: Beside, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        handlers="""
        from windsock.servers import StreamRequestHandler

        class Shout(StreamRequestHandler):
            def handle(self):
                self.wfile.write(self.rfile.readline().upper())
        """
    )
    pytester.path.joinpath(".coveragerc").write_text("[run]\nbranch = true\npatch = _exit\n")

    text = beside_apart(
        """
        import pytest
        from handlers import Shout

        @pytest.mark.windsock(handler=Shout)
        def test_it(forking_tcp_server):
            with forking_tcp_server.connect() as client:
                client.send(b"x\\n").expect(b"X\\n")
        """,
        *("-p", "pytest_cov.plugin", "--cov=handlers"),
        *(("-p", "xdist.plugin", "-n1") if workers else ()),
        conftest=SHARED,
    )

    assert re.search(r"^handlers.py .* 100%$", text, re.MULTILINE), text
