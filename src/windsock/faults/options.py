"""The options `faults=`, `relay=` and `seed=` of servers and proxies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError

if TYPE_CHECKING:
    from windsock.faults import FaultHandle, FaultSet

__all__ = ["FaultOptions", "install", "install_all", "plans_from", "seed_from"]

LARGEST_SEED = 2**64 - 1
EXPECTED = (
    "expected a list of faults, of pairs such as (Reset(), {'connections': first(1)}), and of profiles such as "
    "profiles.flaky"
)


@dataclass(frozen=True, slots=True)
class FaultOptions:
    """One fault or profile, with the selector keywords that it was given."""

    fault: Any
    keywords: tuple[tuple[str, Any], ...] = ()


def plans_from(faults: Any) -> tuple[FaultOptions, ...]:
    """Return the faults of `faults=`, in order. Raises UsageError for anything else."""
    if not faults and (faults is None or isinstance(faults, list | tuple)):
        return ()
    from windsock.faults import Fault, profiles

    if isinstance(faults, Fault) or callable(faults) or isinstance(faults, profiles.Profile):
        raise UsageError(f"faults={faults!r}: {EXPECTED}; put it into a list")
    if not isinstance(faults, Iterable) or isinstance(faults, str | bytes | Mapping):
        raise UsageError(f"faults={faults!r}: {EXPECTED}")
    return tuple(_plan(each) for each in faults)


def _plan(each: Any) -> FaultOptions:
    from windsock.faults import Selector, profiles
    from windsock.faults.function import fault_from

    if isinstance(each, profiles.Profile):
        return FaultOptions(each)
    if isinstance(each, tuple) and len(each) == 2 and isinstance(each[1], Mapping | Selector):
        fault, where = each
        keywords = {"selector": where} if isinstance(where, Selector) else dict(where)
        return FaultOptions(
            fault if isinstance(fault, profiles.Profile) else fault_from(fault), tuple(keywords.items())
        )
    if isinstance(each, tuple | list):
        raise UsageError(f"faults=[{each!r}]: {EXPECTED}")
    return FaultOptions(fault_from(each))


def install_all(fault_set: FaultSet, plans: Iterable[FaultOptions], check: Any) -> None:
    """Install the faults in order; `check` may refuse a fault."""
    for each in plans:
        install(fault_set, each.fault, check, dict(each.keywords))


def install(fault_set: FaultSet, fault: Any, check: Any, keywords: dict[str, Any]) -> FaultHandle | FaultGroup:
    """Install a fault, or all faults of a profile. Raises UsageError if one cannot work here."""
    from windsock.faults import profiles
    from windsock.faults.function import fault_from

    if not isinstance(fault, profiles.Profile):
        value = fault_from(fault)
        check(value)
        return fault_set.install(value, **keywords)
    allow_unfired = keywords.pop("allow_unfired", True)
    if keywords:
        name = next(iter(keywords))
        raise UsageError(
            f"{name}={keywords[name]!r}: a profile defines where its faults apply; install them one by one "
            "to apply them elsewhere"
        )
    for each, _ in fault:
        check(each)
    return FaultGroup(fault_set.install_all(fault, allow_unfired=allow_unfired))


class FaultGroup:
    """The handle of a profile: each method acts on all of its faults. As a context manager, it heals them."""

    def __init__(self, handle: tuple[FaultHandle, ...]) -> None:
        self.handles = handle

    def __repr__(self) -> str:
        return f"<profile: {list(self.handles)}>"

    def __enter__(self) -> FaultGroup:
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()

    @property
    def fired(self) -> int:
        """The number of firings of all its faults."""
        return sum(each.fired for each in self.handles)

    @property
    def log(self) -> list[Any]:
        """The firings of all its faults, in order of time."""
        return sorted((firing for each in self.handles for firing in each.log), key=lambda firing: firing.at)

    def pause(self) -> None:
        """Let everything pass until `resume()`."""
        for each in self.handles:
            each.pause()

    def resume(self) -> None:
        """Act again after `pause()`."""
        for each in self.handles:
            each.resume()

    def heal(self) -> None:
        """End the faults permanently."""
        for each in self.handles:
            each.heal()


def seed_from(seed: Any) -> int | None:
    """Return the checked seed, or None if the caller is to choose one."""
    if seed is None or (type(seed) is int and 0 <= seed <= LARGEST_SEED):
        return seed
    raise UsageError(f"seed={seed!r}: expected a whole number from 0 to 2**64 - 1")
