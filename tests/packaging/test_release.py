"""The checklist of a release (`.ci/release`) stops at the first thing that is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = '[project]\nversion = "1.2.3"\n[project.urls]\nSource = "https://forge.example/windsock"\n'
CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 1.2.3, 2026-11-27\n\n- Something new.\n\n## 1.2.2, 2026-10-01\n"


def git(directory: Path, *words: str) -> None:
    own = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *own, *words], cwd=directory, check=True, capture_output=True, timeout=30)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is ready for version 1.2.3."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "release", tmp_path / ".ci")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "a release")
    return tmp_path


def checked(project: Path, version: str = "1.2.3", **more: str) -> tuple[int, str]:
    """Run the checklist; return its exit status, and its last line."""
    done = subprocess.run(
        ["bash", ".ci/release", version],
        cwd=project,
        env={**os.environ, "CI": "true", **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()[-1]


def test_a_project_that_is_ready_can_be_published(project: Path) -> None:
    status, line = checked(project)

    assert (status, line.partition(";")[0]) == (0, "ready")
    assert "git push origin v1.2.3" in line


def test_the_tag_of_the_same_commit_does_not_matter(project: Path) -> None:
    git(project, "tag", "v1.2.3")

    assert checked(project)[0] == 0


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("pyproject.toml", PROJECT.replace("1.2.3", "1.2.3.dev0"), 'pyproject.toml has version = "1.2.3.dev0"'),
        ("pyproject.toml", PROJECT.replace(".urls", ".scripts"), "pyproject.toml has no [project.urls]"),
        ("CHANGELOG.md", CHANGELOG.replace("1.2.3", "1.2.1"), "CHANGELOG.md begins with '## Unreleased', empty"),
        ("CHANGELOG.md", CHANGELOG.replace("Unreleased\n", "Unreleased\n\n- New.\n"), "CHANGELOG.md has entries below"),
        ("README.md", "new\n", "the tree has changes that are not committed"),
    ],
)
def test_it_stops_at_what_is_missing(project: Path, file: str, text: str, reason: str) -> None:
    (project / file).write_text(text)

    status, line = checked(project)

    assert status == 1
    assert line.startswith(f"not ready for 1.2.3: {reason}")


def test_it_stops_at_a_tag_of_another_commit(project: Path) -> None:
    git(project, "tag", "v1.2.3")
    git(project, "commit", "--quiet", "--allow-empty", "--message", "more")

    assert checked(project) == (1, "not ready for 1.2.3: the tag v1.2.3 is on another commit")


def test_it_stops_where_the_checks_fail(project: Path) -> None:
    (project / ".ci" / "run").write_text("exit 3\n")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "checks that fail")

    assert checked(project, CI="") == (1, "not ready for 1.2.3: .ci/run fails")
