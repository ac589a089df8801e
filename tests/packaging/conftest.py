"""The sample project is a user's, with a configuration of its own: `make package` runs its tests."""

from __future__ import annotations

collect_ignore = ["project"]
