"""A sample of the defects in other modes: under xdist, with short tracebacks or none, in JUnit files."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from tests.findings.conftest import CLIENT
from tests.findings.defects import test_connections, test_faults, test_messages, test_protocols, test_waits
from tests.plugin.conftest import Run

SAMPLE = {
    test_connections: "test_leak",
    test_faults: "test_a_duplicate_taken_for_another_reply",
    test_messages: "test_dot_stuffing",
    test_protocols: "test_content_length_too_small",
    test_waits: "test_no_half_close_to_a_fake",
}


def sample() -> str:
    """Return the code of five defects, one of each kind."""
    return CLIENT + "".join(each.DEFECTS for each in SAMPLE)


def named_in(name: str) -> str:
    """Return the part of a cause that does not vary from run to run."""
    (cause,) = (module.CAUSES[name] for module, each in SAMPLE.items() if each == name)
    return re.split(r"T s|test_defects\.py:LINE", cause)[0]


@pytest.mark.parametrize("options", [["-n2", "--tb=line"], ["--tb=short", "--show-capture=no"], ["--tb=line"]])
def test_the_cause_is_named_in_every_mode(run_apart: Run, pytester: pytest.Pytester, options: list[str]) -> None:
    chosen = " or ".join(f"({name} and not {name}_)" for name in SAMPLE.values())
    result = run_apart(sample(), "-W", "default", "--junitxml=report.xml", "-k", chosen, *options)

    result.assert_outcomes(failed=5)
    shown, report = result.stdout.str(), ElementTree.parse(pytester.path / "report.xml")
    messages = "\n".join(each.text or "" for each in report.iter("failure"))
    for cause in map(named_in, SAMPLE.values()):
        assert cause in shown
        assert cause in messages
