"""Runs each interpreter's own tests with windsock.servers in the place of socketserver: what passes must still pass.

Usage: python tests/conformance/run.py [--python PATH ...] [--module NAME ...] [-v]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEADLINE = 240.0
"""Seconds for one test module."""

RESOURCES = {"test_socketserver": "network"}
"""What a module may use beyond the default. Its "network" is the loopback interface; nobody else gets it."""

MODULES = {
    "test_socketserver": "the module itself",
    "test_logging": "logging.config.listen, and servers for its socket handlers",
    "test_imaplib": "imaplib against a local server",
    "test_httpservers": "http.server",
    "test_xmlrpc": "xmlrpc.server",
    "test_docxmlrpc": "xmlrpc.server with documentation",
    "test_wsgiref": "wsgiref.simple_server",
    "test_urllib2_localnet": "urllib against http.server",
    "test_robotparser": "a local http.server",
    "test_pydoc": "its documentation server",
    "test_ssl": "the one test against http.server; the others have a server of their own",
    "test_idle": "idlelib.rpc, where tkinter is installed",
    "test_asyncio.test_events": "asyncio against wsgiref servers over TCP and Unix sockets",
    "test_asyncio.test_streams": "the same",
}
MATCH = {"test_ssl": "test_socketserver"}
"""The tests that count, where most of a module has nothing to do with the family."""

LEFT_OUT = {
    "test___all__": "imports every module for its __all__ only, and ours is test_socketserver's to check",
    "test_asyncio.test_ssl": "imports the helper beside asyncio's own servers, and is slow",
    "test_asyncio.test_sendfile": "the same",
    "test_asyncio.test_sslproto": "the same",
    "test_enum": "uses pydoc's text renderer, which has no server",
    "test_pyclbr": "reads the source of modules and runs none",
    "test_signal": "names pydoc in a comment",
}
EXCEPTIONS = {
    "test.test_socketserver.MiscTestCase.test_all": "compares each class's __module__ with the name 'socketserver'",
}
"""Tests that are bound to the stock module's name or private parts: they must fail with ours."""

USERS = re.compile(
    r"^\s*(?:import|from)\s+(?:socketserver|http\.server|xmlrpc\.server|wsgiref\.simple_server|logging\.config|pydoc)\b"
    r"|import_module\(['\"]idlelib['\"]\)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a test module gave: each test's outcome, and whether the stand-in was imported."""

    outcomes: dict[str, str]
    stood_in: bool
    seconds: float
    output: str

    def counts(self) -> str:
        """Return how many of each outcome."""
        found = Counter(self.outcomes.values())
        return (
            ", ".join(f"{found[name]} {name}" for name in ("passed", "failed", "skipped") if found[name]) or "nothing"
        )


@dataclass(slots=True)
class Comparison:
    """One module under one interpreter: what differs, and what was said on the way."""

    module: str
    stock: Run
    ours: Run
    differences: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def passed(self) -> int:
        """Return how many tests pass with both."""
        return sum(self.ours.outcomes.get(name) == "passed" for name in passes(self.stock))


def passes(run: Run) -> list[str]:
    """Return the tests that passed."""
    return [name for name, outcome in run.outcomes.items() if outcome == "passed"]


# --- running


@contextmanager
def short_directory() -> Iterator[Path]:
    """Give a directory whose name leaves room for the paths of Unix sockets."""
    directory = Path(tempfile.mkdtemp(prefix="wc-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run_tests(python: str, module: str, *, ours: bool, only: str | None = None) -> Run:
    """Run one module of the interpreter's test-suite, or one test of it."""
    start = monotonic()
    with short_directory() as directory:
        report, mark = directory / "junit.xml", directory / "mark"
        command = [python, "-m", "test", "--junit-xml", str(report), "--tempdir", str(directory)]
        command += ["-u", RESOURCES[module]] if module in RESOURCES else []
        only = only or MATCH.get(module)
        command += ["-m", only] if only else []
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE"))}
        environment |= {"CONFORMANCE_MARK": str(mark), "TMPDIR": str(directory)}
        if ours:
            environment["PYTHONPATH"] = os.pathsep.join([str(HERE / "standin"), str(ROOT / "src")])
        output = run_command([*command, module], environment, directory)
        outcomes = read_report(report)
        return Run(outcomes, mark.exists(), monotonic() - start, output)


def run_command(command: list[str], environment: dict[str, str], directory: Path) -> str:
    """Run to the end or to the deadline, whatever it starts included; return what it wrote."""
    with subprocess.Popen(
        command,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=DEADLINE)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0] + f"\nended after {DEADLINE:g} s"


def read_report(path: Path) -> dict[str, str]:
    """Return each test's outcome; nothing if the run did not come so far as to write a report."""
    outcomes: dict[str, str] = {}
    try:
        cases = ElementTree.parse(path).iter("testcase")
    except (OSError, ElementTree.ParseError):
        return {}
    for case in cases:
        name = case.get("name", "")
        parts = {part.tag for part in case}
        outcome = "failed" if parts & {"failure", "error"} else "skipped" if "skipped" in parts else "passed"
        outcomes[name] = "failed" if outcomes.get(name) == "failed" else outcome
    return outcomes


# --- comparing


def compare(python: str, module: str, stock: Run, ours: Run) -> Comparison:
    """Find what passes with the stock module and not with ours."""
    result = Comparison(module, stock, ours)
    if not stock.outcomes:
        result.differences.append(f"the stock run gave no results:\n{tail(stock.output)}")
    if stock.stood_in or (passes(stock) and not ours.stood_in):
        result.differences.append(
            "the stand-in was in the stock run" if stock.stood_in else "the stand-in was not used"
        )
    for name in passes(stock):
        outcome = ours.outcomes.get(name, "missing")
        if name in EXCEPTIONS:
            judge_exception(result, name, outcome)
        elif outcome != "passed":
            judge_again(python, result, name, outcome)
    return result


def judge_exception(result: Comparison, name: str, outcome: str) -> None:
    if outcome == "passed":
        result.differences.append(f"{name}: passes; take it from the list of exceptions ({EXCEPTIONS[name]})")
    else:
        result.remarks.append(f"{name}: {outcome}, as expected: {EXCEPTIONS[name]}")


def judge_again(python: str, result: Comparison, name: str, outcome: str) -> None:
    """Run a test that differs once more, alone and with both modules, before calling it a difference."""
    stock = run_tests(python, result.module, ours=False, only=name)
    ours = run_tests(python, result.module, ours=True, only=name)
    again = [run.outcomes.get(name, "missing") for run in (stock, ours)]
    if again[0] != "passed" or again[1] == "passed":
        result.remarks.append(f"{name}: {outcome} at first; run again alone: stock {again[0]}, ours {again[1]}")
        result.ours.outcomes[name] = again[1]
    else:
        result.differences.append(f"{name}: {outcome}, and when run again alone: {again[1]}\n{tail(ours.output)}")


def tail(text: str, lines: int = 12) -> str:
    """Return the end of a test run's output before its summary, indented."""
    body = text.partition("\n== Tests result")[0]
    return "\n".join(f"      | {line}" for line in body.splitlines()[-lines:])


# --- which interpreters, which modules


def interpreters() -> list[str]:
    """Return the installed interpreters."""
    found = subprocess.run(
        [str(ROOT / ".ci" / "interpreters")], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    return found.split()


def ask(python: str, code: str) -> str:
    """Return what one interpreter answers, without whatever surrounds us; empty if it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    return done.stdout.strip()


def unknown_users(python: str) -> list[str]:
    """Return the test modules that use socketserver and are neither run nor left out on purpose."""
    tests = Path(ask(python, "import test; print(test.__path__[0])"))
    found = set()
    for path in tests.rglob("test_*.py"):
        name = ".".join(path.relative_to(tests).with_suffix("").parts)
        if USERS.search(path.read_text(encoding="utf-8", errors="replace")):
            found.add(name)
    known = {*MODULES, *LEFT_OUT}
    return sorted(name for name in found if name not in known and name.split(".")[0] not in known)


# --- the report


def report(version: str, result: Comparison, *, verbose: bool) -> None:
    """Write one line, and then what differs."""
    verdict = f"{len(result.differences)} differ" if result.differences else "same"
    print(
        f"{version} {result.module:26} stock: {result.stock.counts()}; ours: {result.ours.counts()}; {verdict}"
        f"  ({result.stock.seconds:.1f} s, {result.ours.seconds:.1f} s)"
    )
    for remark in result.remarks:
        print(f"    {remark}")
    for difference in result.differences:
        print(f"    DIFFERS {difference}")
    if verbose:
        for name in result.stock.outcomes.keys() | result.ours.outcomes.keys():
            print(f"      {name}: {result.stock.outcomes.get(name)} -> {result.ours.outcomes.get(name)}")
    sys.stdout.flush()


def run_interpreter(
    python: str, modules: list[str], tell: Callable[[int, str], None], *, verbose: bool
) -> tuple[int, int]:
    """Compare all modules under one interpreter; return how many tests passed and how many differ.

    Before each comparison `tell` gets the number of those before it, and its name.
    """
    version = ask(python, "import sys, test.libregrtest; print('%d.%d.%d' % sys.version_info[:3])")
    if not version:
        print(f"{python}: has no test-suite of its own, left out")
        return 0, 0
    passed = failed = 0
    for name in unknown_users(python):
        print(f"{version} {name}: uses socketserver, but is neither run nor left out with a reason")
        failed += 1
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        runs = {
            (name, ours): pool.submit(run_tests, python, name, ours=ours) for name in modules for ours in (False, True)
        }
        for number, name in enumerate(modules):
            tell(number, f"{version} {name}")
            result = compare(python, name, runs[name, False].result(), runs[name, True].result())
            tell(number, "")
            report(version, result, verbose=verbose)
            passed += result.passed()
            failed += len(result.differences)
    return passed, failed


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", help="an interpreter; default: those that .ci/interpreters finds")
    parser.add_argument("--module", action="append", help="a module of its test-suite; default: all users")
    parser.add_argument("-v", "--verbose", action="store_true", help="write each test's outcome")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "src"))
    from windsock.exploration.progress_line import ProgressLine

    passed = failed = 0
    pythons, modules = options.python or interpreters(), options.module or list(MODULES)
    with ProgressLine("conformance") as progress:
        for turn, python in enumerate(pythons):

            def tell(number: int, text: str, turn: int = turn) -> None:
                progress.show((turn + number / len(modules)) / len(pythons), text) if text else progress.clear()

            found = run_interpreter(python, modules, tell, verbose=options.verbose)
            passed, failed = passed + found[0], failed + found[1]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
