"""Taps: record the traffic of sockets and streams."""

from typing import Any

from windsock.recording import Recorder
from windsock.taps.seam import Seam

__all__ = ["Seam", "seam_for"]


def seam_for(server: Any, recorder: Recorder) -> Seam:
    """Return the seam for a server: a TrioSeam if its handlers may be async, else a Seam."""
    if not getattr(server, "takes_async_handlers", False):
        return Seam(server, recorder)
    from windsock.taps.trio_seam import TrioSeam

    return TrioSeam(server, recorder)
