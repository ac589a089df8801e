"""GitHub annotations for tests that fail in their setup or teardown, as far as windsock has to do with it."""

from __future__ import annotations

import copy
import os
from typing import Any

import pytest

from pytest_windsock import presentation

__all__ = ["start"]

ANNOTATOR = "annotate_errors"
"""The plugin that pytest-github-actions-annotate-failures registers; it annotates failures of bodies."""


class Annotations:
    """Passes other failures of tests with servers to the plugin that annotates."""

    def __init__(self, annotator: Any) -> None:
        self._annotator = annotator

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Have a failure outside of the body annotated as if it were one of the body."""
        if report.failed and report.when != "call" and presentation.has_ours(report):
            as_body = copy.copy(report)
            as_body.when = "call"
            self._annotator.pytest_runtest_logreport(as_body)


def start(config: pytest.Config) -> None:
    """Annotate in a workflow of GitHub, if the plugin that does so is there."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        annotator = config.pluginmanager.get_plugin(ANNOTATOR)
        if annotator is not None:
            config.pluginmanager.register(Annotations(annotator), "windsock_annotations")
