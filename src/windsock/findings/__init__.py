"""Conclusions from the facts of a failed test: at most three sentences, the most probable cause first."""

from __future__ import annotations

from windsock.findings.conclusions import findings_for
from windsock.findings.gathering import places_of

__all__ = ["findings_for", "places_of"]
