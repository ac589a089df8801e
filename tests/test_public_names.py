"""The names that `windsock` has, of which most are imported on first use."""

from __future__ import annotations

import windsock


def test_each_public_name_leads_to_something() -> None:
    assert [each for each in windsock.__all__ if not hasattr(windsock, each)] == []
