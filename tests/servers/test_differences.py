"""The table of differences cites tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")


def test_each_test_that_the_table_of_differences_cites_exists() -> None:
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    existing = set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))
    cited = set(re.findall(r"`(test_\w+)`", TABLE))

    assert sorted(cited - existing) == []
    assert len(cited) > 50


def test_each_row_of_the_table_of_differences_says_fixed_or_kept() -> None:
    rows = [line for line in TABLE.splitlines() if re.match(r"\| .* \| (early|today) \| ", line)]

    assert len(rows) > 50
    verdicts = [row.split(" | ")[2] for row in rows]
    assert [row for row in verdicts if not re.match(r"(Fixed|Kept)\b", row)] == []
    assert [row for row in verdicts if row.startswith("Fixed") and "`test_" not in row] == []
