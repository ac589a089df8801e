"""The site that `make docs` has built: nothing public is missing, and what peers show on the pages runs."""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys
import zlib
from pathlib import Path

import public_names
import pytest

from windsock import protocols

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "docs"
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "coming-from").glob("*.md")]
PEER = re.compile(r"^<!-- peer: *(.*?) *-->\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""The plugin that a peer's tests need, and its tests."""
OF_PEERS = {page.stem: found.groups() for page in PAGES if (found := PEER.search(page.read_text()))}


@pytest.fixture(scope="module")
def described() -> set[str]:
    """What the reference describes, from the index that Sphinx writes for other sites: a line begins with a name."""
    packed = (SITE / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.partition(" ")[0] for line in zlib.decompress(packed).decode().splitlines()}


@pytest.mark.parametrize("module", public_names.MODULES)
def test_the_reference_has_each_name_by_its_import_path(module: str, described: set[str]) -> None:
    missing = [name for name in public_names.described_in(module) if f"{module}.{name}" not in described]

    assert missing == []


@pytest.mark.parametrize("module", public_names.MODULES)
def test_the_reference_has_each_method_of_each_class(module: str, described: set[str]) -> None:
    classes = {name: value for name, value in public_names.described_in(module).items() if isinstance(value, type)}

    paths = [f"{module}.{name}.{member}" for name, kind in classes.items() for member in public_names.members_of(kind)]

    assert [path for path in paths if path not in described] == []


def test_the_reference_has_each_fixture_keyword_option_and_ini_value(described: set[str]) -> None:
    parser = public_names.plugin_parser()

    names = [*public_names.fixtures(), *public_names.keywords(), *parser.options, *parser.ini_values]

    assert len(names) > 80
    assert [name for name in names if name not in described and f"pytest.{name}" not in described] == []


def test_each_module_that_a_page_imports_from_is_in_the_reference() -> None:
    imported = {
        name
        for page in PAGES
        for name in re.findall(r"^ *(?:from|import) ((?:pytest_)?windsock[\w.]*)", page.read_text(), re.MULTILINE)
    }

    assert len(imported) > 10
    assert imported <= set(public_names.MODULES)


def test_each_protocol_is_in_the_reference() -> None:
    packages = [each.name for each in pkgutil.iter_modules(protocols.__path__, "windsock.protocols.") if each.ispkg]

    assert len(packages) > 5
    assert [name for name in packages if name not in public_names.MODULES] == []


@pytest.mark.parametrize("name", sorted(OF_PEERS))
def test_the_tests_of_a_peer_pass(name: str, tmp_path: Path) -> None:
    plugin, code = OF_PEERS[name]
    (tmp_path / "test_peer.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(["-p", plugin] if plugin else [])]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # two of the peers have fixtures of the same name

    result = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=120)

    assert result.returncode == 0, result.stdout
    assert f"{code.count('def test_')} passed" in result.stdout


def test_four_peers_are_run() -> None:
    assert sorted(OF_PEERS) == ["mocket", "pytest-httpserver", "pytest-localserver", "vcrpy"]


def test_readme_and_the_page_of_sources_have_the_same_table() -> None:
    rows = re.findall(r"^\| (?:.* \| ){7}.*\|$", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert len(rows) == 8
    assert [row for row in rows if row not in (ROOT / "docs" / "comparison.md").read_text()] == []
