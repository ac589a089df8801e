"""A network with two hosts, and the clock that the test moves."""

from __future__ import annotations

import pytest

from tests.simulation.network.simulated import Clock
from windsock.simulation.network import Host, Network


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def network(clock: Clock) -> Network:
    return Network(clock, seed=7)


@pytest.fixture
def hosts(network: Network) -> tuple[Host, Host]:
    return network.host("app.internal"), network.host("db.internal")
