"""Files about tests, in a directory for each: `--windsock-artifacts=DIR`, for failed tests or for all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from pytest_windsock import seeds
from pytest_windsock.fixtures import State

if TYPE_CHECKING:
    from windsock import RunningServer
    from windsock.captures import CaptureSubject
    from windsock.proxies.proxy import FaultProxy

__all__ = ["Artifacts", "add_options", "artifacts_of", "start", "summarize", "tell_worker", "writers"]

OPTION = "--windsock-artifacts"
KEY = "windsock_artifacts_worker"
TRANSCRIPT = "transcript.txt"
LONGEST_NAME = 100
"""Characters of a test's name that its directory is called by; a hash of the whole name follows."""
TITLE = "windsock: artifacts"
NOT_WRITTEN = "windsock: artifacts not written"


def _transcript(path: str, test: str, subjects: Sequence[CaptureSubject]) -> None:  # noqa: ARG001  # what all writers get
    from windsock.captures.text import write_lines
    from windsock.recording.transcript.transcript import Transcript

    write_lines(path, Transcript(subjects, State.marks))


def _events(path: str, test: str, subjects: Sequence[CaptureSubject]) -> None:  # noqa: ARG001  # likewise
    from windsock.captures import write_events

    write_events(path, subjects)


def _capture(path: str, test: str, subjects: Sequence[CaptureSubject]) -> None:  # noqa: ARG001  # likewise
    from windsock.captures import key_log_of_environment, write_capture

    write_capture(path, subjects, key_log=key_log_of_environment())


def _page(path: str, test: str, subjects: Sequence[CaptureSubject]) -> None:  # noqa: ARG001  # likewise
    from windsock.captures.page import write_page

    write_page(path, test, [*State.servers, *State.others], State.conclusions)


Writer: TypeAlias = "Callable[[str, str, Sequence[CaptureSubject]], None]"

writers: list[tuple[str, Writer]] = [
    (TRANSCRIPT, _transcript),
    ("events.jsonl", _events),
    ("traffic.pcapng", _capture),
    ("traffic.html", _page),
]
"""The files of a test: a name, and a function of the path, the name of the test and what was recorded."""


def add_options(parser: pytest.Parser) -> None:
    """Add --windsock-artifacts and --windsock-artifacts-for."""
    group = parser.getgroup("windsock")
    group.addoption(
        OPTION,
        metavar="DIR",
        default=None,
        help="windsock: for each failed test write what its servers have recorded to a directory below DIR: "
        "a transcript, JSON lines, a capture for Wireshark, and a page for the browser",
    )
    group.addoption(
        f"{OPTION}-for",
        choices=("failed", "all"),
        default="failed",
        help="windsock: which tests --windsock-artifacts writes files for (default: failed)",
    )


class Artifacts:
    """Writes the files of one run, test by test."""

    def __init__(self, directory: str, worker: str, *, is_for_all: bool) -> None:
        self._directory = directory
        self._worker = worker
        self._is_for_all = is_for_all
        self._attempts: Counter[str] = Counter()
        self._has_failed = False

    def look(self, item: pytest.Item, report: pytest.TestReport, servers: Sequence[RunningServer | FaultProxy]) -> None:
        """Write the files of a test whose phase is over, if it is time to, and say where in the report.

        After a failure they are written at once, and again at the end of the test, with what came then.
        """
        if report.when == "setup":
            self._attempts[item.nodeid] += 1
            self._has_failed = False
        self._has_failed |= report.failed
        is_over = report.when == "teardown"
        if servers and (report.failed or is_over) and self._is_wanted(item):
            report.sections.extend(self._write(item, servers))

    def transcript_of(self, item: pytest.Item) -> str:
        """Return the path of the transcript of a test that has failed; nothing if none is wanted."""
        self._has_failed = True
        return os.path.join(self._directory, self._name_of(item), TRANSCRIPT) if self._is_wanted(item) else ""

    def _is_wanted(self, item: pytest.Item) -> bool:
        for mark in item.iter_markers("windsock"):
            if "artifacts" in mark.kwargs:
                return bool(mark.kwargs["artifacts"])
        return self._has_failed or self._is_for_all

    def _write(self, item: pytest.Item, servers: Sequence[RunningServer | FaultProxy]) -> Iterator[tuple[str, str]]:
        """Write the files; give sections for the report: where they are, and what went wrong."""
        path = os.path.join(self._directory, self._name_of(item))
        test = seeds.name_of_test(item)
        subjects: list[CaptureSubject] = []
        problems = _problems(item, path, lambda: subjects.extend(_subjects(path, servers)))
        if not problems:
            yield TITLE, _plain(path)
            for name, write in writers:
                file = os.path.join(path, name)
                problems += _problems(item, file, partial(write, file, test, subjects))
        if problems:
            yield NOT_WRITTEN, "\n".join(problems)

    def _name_of(self, item: pytest.Item) -> str:
        """Return the directory's name: the test's, as far as any file system takes it, and what makes it unique."""
        attempt = max(self._attempts[item.nodeid], getattr(item, "execution_count", 1))
        again = f"-{attempt}" if attempt > 1 else ""
        return f"{safe_name(seeds.name_of_test(item))}{self._worker}{again}"


def _problems(item: pytest.Item, path: str, write: Callable[[], object]) -> list[str]:
    """Write something; return what went wrong, if anything did. No exception leaves a hook from here."""
    from windsock.errors import text_of

    try:
        write()
    except (Exception, pytest.fail.Exception, KeyboardInterrupt) as error:  # pytest-timeout may strike here
        if isinstance(error, KeyboardInterrupt):  # beside old-style hook wrappers it could end in an INTERNALERROR
            item.session.shouldstop = "KeyboardInterrupt while a test's files were written"
        return [_plain(f"{OPTION}: {path}: {type(error).__name__}: {text_of(error)}")]
    return []


def _subjects(path: str, servers: Sequence[RunningServer | FaultProxy]) -> Sequence[CaptureSubject]:
    """Create the directory; return the artifacts to write into it."""
    from pytest_windsock.sections import subjects_of  # which the fixtures have imported
    from windsock.captures import make_directory

    make_directory(path)
    return subjects_of(servers)


def safe_name(test: str) -> str:
    """Return a name for files out of a test's node id: letters, digits, `.`, `_` and `-`, and a hash of all of it."""
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", test.replace("::", "-")).strip("-.")
    digest = hashlib.sha256(test.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{plain[:LONGEST_NAME]}-{digest}"


def _plain(text: str) -> str:
    """Return text that any terminal and any report takes."""
    return text.encode(errors="backslashreplace").decode()


ARTIFACTS: pytest.StashKey[Artifacts | None] = pytest.StashKey()


def artifacts_of(config: pytest.Config) -> Artifacts | None:
    """Return what writes the files of this run; None if there are to be none."""
    return config.stash[ARTIFACTS]


def start(config: pytest.Config) -> None:
    """Get ready to write, if the option is given. Raises pytest.UsageError if nothing can be written there."""
    config.stash[ARTIFACTS] = None
    given = config.getoption(OPTION)
    if given is None or config.option.collectonly or config.option.help:
        return
    directory = os.path.join(config.invocation_params.dir, os.path.expanduser(given))
    worker = getattr(config, "workerinput", {}).get(KEY, "")
    if not hasattr(config, "workerinput"):
        _check(given, directory)
        config.option.windsock_artifacts = directory  # which xdist's workers get
    config.stash[ARTIFACTS] = Artifacts(directory, worker, is_for_all=config.getoption(f"{OPTION}-for") == "all")


def _check(given: str, directory: str) -> None:
    """Make the directory, and a file in it."""
    reason: object = None if given else "it is empty"
    try:
        if given:
            os.makedirs(directory, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory) as file:
                file.write(b"x")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
    if reason is not None:
        raise pytest.UsageError(f"{OPTION}={given!a}: expected a directory that files can be written to; {reason}")


def tell_worker(node: Any) -> None:
    """Have an xdist worker use directories of its own where every worker runs every test (`--dist each`)."""
    node.workerinput[KEY] = f"-{node.gateway.id}" if node.config.option.dist == "each" else ""


def summarize(terminal: Any) -> None:
    """Say at the end of a run for which passed tests no files could be written: their reports are not shown."""
    reports = [each for found in terminal.stats.values() for each in found if hasattr(each, "sections")]
    shown = {each.nodeid for each in reports if each.failed}
    sections = [section for each in reports if each.nodeid not in shown for section in each.sections]
    notes = [text for title, text in sections if title == NOT_WRITTEN]
    if notes:
        terminal.section(f"{NOT_WRITTEN}: {len(notes)}")
        for text in notes[:10]:
            with contextlib.suppress(UnicodeError):
                terminal.line(text)
