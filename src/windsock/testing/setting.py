"""The class that is checked, and how it is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Setting"]


@dataclass(frozen=True, slots=True)
class Setting:
    """The class that is checked, and the keywords of `serving()` that it is served with."""

    server_class: type[Any]
    options: dict[str, Any]
