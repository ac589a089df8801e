"""Messages of portmap and rpcbind, and universal addresses."""

from __future__ import annotations

import pytest

from tests.protocols.vectors import DUMPED, GETPORT
from windsock.errors import PeerError, UsageError
from windsock.protocols import portmap
from windsock.protocols.portmap import Binding, Mapping, PortmapProtocol


def test_a_mapping_is_encoded_as_other_implementations_encode_it() -> None:
    assert portmap.MAPPING.encode(Mapping(395183, 1, PortmapProtocol.TCP)) == GETPORT
    assert portmap.MAPPING.decode(GETPORT) == Mapping(395183, 1, 6, 0)


def test_a_dump_is_a_list_of_mappings() -> None:
    found = [Mapping(100000, 2, PortmapProtocol.TCP, 111), Mapping(100000, 2, PortmapProtocol.UDP, 111)]

    assert portmap.MAPPINGS.decode(DUMPED) == found
    assert portmap.MAPPINGS.encode(found) == DUMPED


def test_bindings_of_rpcbind_are_read_and_written() -> None:
    found = [Binding(100000, 4, "tcp", "0.0.0.0.0.111", "superuser"), Binding(7, 1, "local", "/run/x.sock")]

    assert portmap.BINDINGS.decode(portmap.BINDINGS.encode(found)) == found


@pytest.mark.parametrize(
    ("host", "port", "text"), [("127.0.0.1", 40111, "127.0.0.1.156.175"), ("::1", 40444, "::1.157.252")]
)
def test_a_universal_address_is_an_address_and_a_port(host: str, port: int, text: str) -> None:
    assert portmap.universal_address(host, port) == text
    assert portmap.parse_universal_address(text) == (host, port)


@pytest.mark.parametrize("text", ["", "1.2", "127.0.0.1.1.256", "127.0.0.1.1.-1", "host.1.x", "host.0001.2", ".1.2"])
def test_what_is_no_universal_address_is_an_error(text: str) -> None:
    with pytest.raises(PeerError, match="is no universal address"):
        portmap.parse_universal_address(text)


def test_a_port_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a port from 0 to 65535"):
        portmap.universal_address("127.0.0.1", 65536)
