"""Hypothesis, which the extra `hypothesis` installs: imported with the first strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windsock.protocols.registry import library

if TYPE_CHECKING:
    from hypothesis import strategies as st
else:
    st = library("hypothesis.strategies", "hypothesis")

__all__ = ["st"]
