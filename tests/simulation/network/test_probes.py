"""The kernel and the simulated network give the same results and errors."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.simulation.network import (  # noqa: F401  # they fill the table
    probes_of_addresses,
    probes_of_connecting,
    probes_of_datagrams,
    probes_of_ends,
    probes_of_ipv6,
    probes_of_streams,
    probes_of_unix_datagrams,
    probes_of_unix_names,
    probes_of_unix_streams,
    probes_of_urgent_data,
)
from tests.simulation.network.kernel import Kernel
from tests.simulation.network.probes import PROBES, Probe
from tests.simulation.network.probes_of_differences import DIFFERENCES
from tests.simulation.network.simulated import Simulated

PAGE = Path(__file__).parents[3] / "docs" / "simulation-parity.md"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the network is Linux's")


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)
def test_the_network_does_what_the_kernel_does(probe: Probe) -> None:
    with Kernel() as kernel:
        expected = probe(kernel)

    with Simulated() as simulated:
        assert probe(simulated) == expected


def test_the_table_of_differences_is_true() -> None:
    with Kernel() as kernel, Simulated() as simulated:
        found = {each: (each(kernel), each(simulated)) for each in DIFFERENCES}

    assert found == DIFFERENCES
    assert re.findall(r"^\| `(\w+)`", PAGE.read_text(), re.MULTILINE) == [each.__name__ for each in DIFFERENCES]
