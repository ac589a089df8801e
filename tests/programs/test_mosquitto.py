"""Mosquitto: its clients at our broker, and ours and its clients at the real one behind a proxy that decodes all."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs.conftest import program, run, running
from tests.support.waiting import wait_until
from windsock import FaultProxy, proxy, serving
from windsock.protocols import mqtt

VERSIONS = {"mqttv311": 4, "mqttv5": 5}
on_both_versions = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[FaultProxy]:
    command = [program("mosquitto"), "-p", "{port}"]
    with running(command, tmp_path) as port, proxy(("127.0.0.1", port), framing="mqtt") as between:
        yield between


def published(subject: Any, version: str, *options: str) -> None:
    command = [program("mosquitto_pub"), "-h", "127.0.0.1", "-p", str(subject.port), "-V", version, *options]
    result = run(*command)
    assert (result.returncode, result.stderr) == (0, "")


def subscribed(subject: Any, version: str, *options: str) -> subprocess.Popen[bytes]:
    command = [program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(subject.port), "-V", version, "-C", "1"]
    process = subprocess.Popen([*command, "-W", "20", "-v", *options], stdout=subprocess.PIPE)
    wait_until(lambda: any(isinstance(each.message, mqtt.SubscribePacket) and each.reply for each in subject.requests))
    return process


@on_both_versions
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_its_clients_work_with_our_broker(version: str, qos: str) -> None:
    program("mosquitto_sub")
    with serving(framing="mqtt") as server:
        mqtt.broker(server)
        with subscribed(server, version, "-t", "wind/#", "-q", qos) as reader:
            published(server, version, "-t", "wind/now", "-m", "NW", "-q", qos, "-i", "writer")
            said = reader.communicate(timeout=20)[0]

        assert said == b"wind/now NW\n"
        connects = [each.message for each in server.requests if isinstance(each.message, mqtt.ConnectPacket)]
        assert [each.level for each in connects] == [VERSIONS[version]] * 2
        assert connects[1].client_id == "writer"


@on_both_versions
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_every_packet_of_the_real_broker_is_decoded(behind: FaultProxy, version: str, qos: str) -> None:
    with subscribed(behind, version, "-t", "wind/#", "-q", qos) as reader:
        details = ["-D", "PUBLISH", "user-property", "unit", "knots"] if version == "mqttv5" else []
        will = ["--will-topic", "gone", "--will-payload", "x"]
        published(behind, version, "-t", "wind/now", "-m", "NW", "-q", qos, "-u", "me", "-P", "secret", *details, *will)
        said = reader.communicate(timeout=20)[0]
    assert said == b"wind/now NW\n"
    behind.stop()

    kinds = set()
    for connection in behind.connections:
        for data in (connection.upstream, connection.downstream):
            found = everything(data)
            assert b"".join(map(bytes, found)) == data
            kinds |= {type(each) for each in found}
    assert {mqtt.ConnectPacket, mqtt.ConnAckPacket, mqtt.SubscribePacket, mqtt.SubAckPacket} <= kinds
    assert {mqtt.PublishPacket, mqtt.DisconnectPacket} <= kinds
    assert (mqtt.PubRelPacket in kinds) is (qos == "2")
    assert not any("no MQTT message" in line for line in behind.transcript())


def everything(data: bytes) -> list[Any]:
    """Return all packets; every byte is in one of them."""
    found = []
    while data:
        size = mqtt.PROTOCOL.size_of(data)
        assert size is not None
        found.append(mqtt.PROTOCOL.decoded(data[:size]))
        data = data[size:]
    return found


def test_a_message_of_the_test_reaches_its_client() -> None:
    program("mosquitto_sub")
    with serving(framing="mqtt") as server:
        broker = mqtt.broker(server)
        with subscribed(server, "mqttv311", "-t", "wind/#") as reader:
            assert broker.publish("wind/now", "SE") == 1
            assert reader.communicate(timeout=20)[0] == b"wind/now SE\n"
