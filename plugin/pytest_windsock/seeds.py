"""The seed of a run, which all faults draw from: given or fresh, shown, and the same in each xdist worker."""

from __future__ import annotations

import random
from typing import Any

import pytest

__all__ = [
    "add_option",
    "header",
    "name_of_test",
    "seed_of_fixture",
    "seed_of_run",
    "seed_of_server",
    "seed_of_test",
    "tell_worker",
]

LARGEST = 2**64 - 1
KEY = "windsock_seed"
SEED: pytest.StashKey[int] = pytest.StashKey()


def add_option(parser: pytest.Parser) -> None:
    """Add --windsock-seed."""
    parser.getgroup("windsock").addoption(
        "--windsock-seed",
        metavar="N",
        default=None,
        help="windsock: the seed that faults draw from, a whole number (default: a fresh one for each run, "
        "shown in the header)",
    )


def seed_of_run(config: pytest.Config) -> int:
    """Return the seed that was given, or the controller's, or a fresh one of 32 bits: one for the whole run.

    Raises pytest.UsageError for a value that is not a seed.
    """
    seed = config.stash.get(SEED, None)
    if seed is None:
        told: int | None = getattr(config, "workerinput", {}).get(KEY)
        seed = config.stash[SEED] = _given(config) if told is None else told
    return seed


def _given(config: pytest.Config) -> int:
    text = config.getoption("--windsock-seed")
    if text is None:
        return random.SystemRandom().getrandbits(32)  # independent of what tests do to `random`
    try:
        seed = int(text, 0)
    except ValueError:
        seed = -1
    if not 0 <= seed <= LARGEST:
        raise pytest.UsageError(f"--windsock-seed={text}: expected a whole number from 0 to 2**64 - 1")
    return seed


def seed_of_test(item: pytest.Item) -> int:
    """Return a test's own seed, from the run's and its node id: independent of other tests and of the process."""
    from windsock.faults.seeds import derive

    return derive(seed_of_run(item.config), name_of_test(item))


def name_of_test(item: pytest.Item) -> str:
    """Return a test's node id, the same with and without xdist."""
    name = item.nodeid
    if item.get_closest_marker("xdist_group") is not None:
        name = name.rpartition("@")[0] or name  # which xdist adds in its workers
    return name


def seed_of_server(item: pytest.Item, number: int) -> int:
    """Return the seed for one of the test's servers and proxies, by their order from 0: the first has the test's."""
    if not number:
        return seed_of_test(item)
    from windsock.faults.seeds import derive

    return derive(seed_of_test(item), number)


def seed_of_fixture(config: pytest.Config, name: str) -> int:
    """Return the seed of a server of wider scope outside of tests."""
    from windsock.faults.seeds import derive

    return derive(seed_of_run(config), f"fixture {name}")


def tell_worker(node: Any) -> None:
    """Have an xdist worker use the controller's seed."""
    node.workerinput[KEY] = seed_of_run(node.config)


def header(config: pytest.Config) -> str:
    """Return the line that names the way to have the same faults again."""
    seed = seed_of_run(config)
    return f"windsock: seed {seed}, --windsock-seed={seed} makes the same faults again"
