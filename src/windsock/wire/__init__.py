"""Carries bytes between two ends, recorded."""

from windsock.wire.seam import Seam

__all__ = ["Seam"]
