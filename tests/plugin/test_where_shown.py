"""What is shown of a failed test where: each row of the table in docs/reading-a-failure.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree

import pytest

from tests.plugin.conftest import BOUND, PLUGIN, Run

Show: TypeAlias = Callable[[pytest.Pytester], str]

PAGE = Path(__file__).parents[2] / "docs" / "reading-a-failure.md"
HEADING = "## Where it is shown"
FINDING = "would match on(b'PING\\r\\n') but for the line end"
TRANSCRIPT = re.compile(r"#0 > 5 B")

TALK = """
    import socket, unittest
    import windsock

    def talk(server):
        server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        with socket.create_connection(server.address, timeout=5) as client:
            client.sendall(b"PING\\n")
            answer = client.recv(100)
            assert answer == b"PONG\\r\\n", f"assert {answer!r} == {b'PONG'!r}"
"""
PING = (
    TALK
    + """
    def test_ping(tcp_server):
        talk(tcp_server)
"""
)
AT_TEARDOWN = (
    TALK
    + """
    import pytest

    @pytest.fixture
    def late(tcp_server):
        yield
        talk(tcp_server)

    @pytest.mark.windsock(strict=False)
    def test_ping(late):
        pass
"""
)
SUBTEST = (
    TALK
    + """
    def test_ping(tcp_server, subtests):
        with subtests.test("one"):
            talk(tcp_server)
"""
)
UNITTEST = (
    TALK
    + """
    class Ping(unittest.TestCase):
        def test_ping(self):
            with windsock.serving() as server:
                talk(server)
"""
)
IN_SETUP = (
    TALK
    + """
    class Ping(unittest.TestCase):
        def setUp(self):
            self.server = self.enterContext(windsock.serving(strict=False))

        def test_ping(self):
            talk(self.server)
"""
)
EXPLAINED = IN_SETUP.replace("(unittest.TestCase)", "(ExplainMixIn, unittest.TestCase)").replace(
    "class Ping", "from windsock.testing import ExplainMixIn\n\n    class Ping"
)
CRASH = """
    import os, time
    from pathlib import Path

    def test_ping(tcp_server, request):
        with tcp_server.connect() as client:
            client.send(b"PING\\n")
            tcp_server.requests.wait()
            path = Path(request.config.workerinput["windsock_last_transcripts"])
            until = time.monotonic() + 20
            while not (path.exists() and "> 5 B" in path.read_text()):
                assert time.monotonic() < until
                time.sleep(0.01)
            os._exit(3)
"""


def output(code: str, *options: str) -> Show:
    """What a run prints."""

    def show(pytester: pytest.Pytester) -> str:
        pytester.makepyfile(test_it=code)
        result = pytester.runpytest_subprocess(*PLUGIN, *options, timeout=BOUND)
        text = f"{result.stdout.str()}\n{result.stderr.str()}"
        assert "INTERNALERROR" not in text
        return text

    return show


def github_annotations(code: str) -> Show:
    """The lines for GitHub."""

    def show(pytester: pytest.Pytester) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GITHUB_ACTIONS", "true")
            text = output(code, "-p", "pytest_github_actions_annotate_failures")(pytester)
        found = re.findall("^::error .*", text, re.MULTILINE)
        assert len(found) == 1
        return str(found[0])

    return show


def junit(code: str, *options: str) -> Show:
    """The text of all entries of a JUnit file."""

    def show(pytester: pytest.Pytester) -> str:
        output(code, "--junitxml=report.xml", *options)(pytester)
        return "\n".join(texts_of(pytester.path / "report.xml"))

    return show


def texts_of(report: Path) -> Iterator[str]:
    for case in ElementTree.parse(report).iter("testcase"):
        yield from (each.text or "" for each in case)


def debugger(pytester: pytest.Pytester) -> str:
    """What is shown before the debugger's first prompt."""
    pytester.makepyfile(test_it=PING)
    text = pytester.run(sys.executable, "-m", "pytest", *PLUGIN, "--pdb", stdin=b"c\n", timeout=BOUND).stdout.str()
    assert "(Pdb)" in text
    return str(text.partition("(Pdb)")[0])


def html(pytester: pytest.Pytester) -> str:
    """The report of pytest-html with what is attached to it."""
    output(PING, "-p", "metadata", "-p", "html", "--html=report.html")(pytester)
    names = [each.name for each in (pytester.path / "assets").glob("test_it*")]
    assert sorted(name.rpartition(".")[2] for name in names) == ["html", "txt"]
    report = (pytester.path / "report.html").read_text()
    assert all(f"assets/{name}" in report for name in names)
    return unescape(unescape(report)).replace("\\\\", "\\")  # it is JSON in an attribute


def of_unittest(code: str) -> Show:
    """What `python -m unittest` prints."""

    def show(pytester: pytest.Pytester) -> str:
        pytester.makepyfile(test_it=code)
        return pytester.run(sys.executable, "-m", "unittest", "test_it", timeout=BOUND).stderr.str()

    return show


PLACES: dict[str, Show] = {
    "the terminal": output(PING),
    "`--tb=short`": output(PING, "--tb=short"),
    "`--tb=line`": output(PING, "--tb=line"),
    "`--tb=no`": output(PING, "--tb=no"),
    "`--show-capture=no`": output(PING, "--show-capture=no"),
    "`--pdb`": debugger,
    "`--junitxml`": junit(PING),
    "`--junitxml`, a failure at teardown": junit(AT_TEARDOWN),
    "`--junitxml`, with `-p no:terminal`": junit(PING, "-p", "no:terminal"),
    "pytest-html": html,
    "GitHub annotations": github_annotations(PING),
    "GitHub annotations, a failure at teardown": github_annotations(AT_TEARDOWN),
    "pytest-xdist": output(PING, "-n1"),
    "pytest-xdist, a worker that crashed": output(CRASH, "-n1"),
    "subtests": output(SUBTEST),
    "`unittest.TestCase`": output(UNITTEST),
    "`unittest.TestCase`, `serving()` in `setUp()`": output(IN_SETUP),
    "`python -m unittest`": of_unittest(UNITTEST),
    "`python -m unittest`, `serving()` in `setUp()`": of_unittest(IN_SETUP),
    "`python -m unittest`, `serving()` in `setUp()`, `ExplainMixIn`": of_unittest(EXPLAINED),
}


SINCE_PYTEST_9 = {"`--tb=line`", "`--junitxml`, with `-p no:terminal`"}
"""What earlier versions show less of."""


def table() -> dict[str, tuple[str, str]]:
    """Return the rows of the table on the page: a place, whether conclusions and transcripts are shown there."""
    section = PAGE.read_text().partition(HEADING)[2].partition("\n## ")[0]
    rows = [tuple(each.strip() for each in line.strip("|").split("|")) for line in re.findall(r"^\|.*", section, re.M)]
    return {place: (notes, transcript) for place, notes, transcript in rows[2:]}


def test_the_table_on_the_page_has_all_places() -> None:
    assert list(table()) == list(PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_what_is_shown_is_what_the_page_says(place: str, pytester: pytest.Pytester) -> None:
    if place in SINCE_PYTEST_9 and pytest.version_tuple < (9,):
        pytest.skip("pytest 9 shows more")

    shown = PLACES[place](pytester)

    notes, transcript = table()[place]
    assert ("yes" if FINDING in shown else "no", "yes" if TRANSCRIPT.search(shown) else "no") == (notes, transcript)


def test_a_junit_file_is_valid_with_any_bytes(run: Run, pytester: pytest.Pytester) -> None:
    run(
        r"""
        import pytest

        def broken(request, client_address, server):
            request.recv(1000)
            raise LookupError("\x00 \x1b \udc80 \ufffe ]]> &")

        @pytest.mark.windsock(handler=broken)
        def test_it(tcp_server):
            with tcp_server.connect() as client:
                client.send(bytes(range(256))).expect_end()
        """,
        "--junitxml=report.xml",
    )

    text = "\n".join(texts_of(pytester.path / "report.xml"))
    assert "]]> &" in text
    assert "> 256 B" in text
