"""MQTT: paho subscribes and publishes at a small broker, gets what the test sends, and meets bad weather."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from typing import Any

import pytest

from windsock import RunningServer
from windsock.faults import Delay, HalfClose
from windsock.protocols import mqtt

paho = pytest.importorskip("paho.mqtt.client")
fake = pytest.mark.windsock(framing="mqtt")
WAIT = 10.0


@contextlib.contextmanager
def client_of(server: RunningServer, came: queue.Queue[bytes], **options: Any) -> Iterator[Any]:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="vane", **options)
    client.on_message = lambda client, data, message: came.put(message.payload)
    client.connect(server.host, server.port)
    client.subscribe("wind/#", qos=1)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


@fake
@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
def test_a_client_gets_what_the_test_sends(tcp_server: RunningServer, version: int) -> None:
    broker = mqtt.broker(tcp_server, retained={"wind/now": b"NW"})
    came: queue.Queue[bytes] = queue.Queue()

    with client_of(tcp_server, came, protocol=version) as client:
        assert came.get(timeout=WAIT) == b"NW"
        assert broker.publish("wind/next", "SE", qos=1) == 1
        assert came.get(timeout=WAIT) == b"SE"
        client.publish("rain", "none", qos=2).wait_for_publish(WAIT)

    published = [each.message for each in tcp_server.requests if isinstance(each.message, mqtt.PublishPacket)]
    assert [(each.topic, each.payload, each.qos) for each in published] == [("rain", b"none", 2)]


@fake
def test_a_broker_that_refuses_a_client(tcp_server: RunningServer) -> None:
    tcp_server.on(mqtt.connect("vane")).reply(mqtt.connack(5), end="close")
    reasons: list[str] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="vane")
    client.on_connect = lambda client, data, flags, reason, properties: reasons.append(str(reason))

    client.connect(tcp_server.host, tcp_server.port)
    client.loop(WAIT)

    assert reasons == ["Not authorized"]


# --- bad weather


@fake
def test_a_connection_that_ends_before_the_answer_is_lost(tcp_server: RunningServer) -> None:
    mqtt.broker(tcp_server)
    tcp_server.fault(HalfClose(), direction="downstream", match=mqtt.packet(mqtt.ConnAckPacket))

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="vane")
    client.connect(tcp_server.host, tcp_server.port)

    assert client.loop(WAIT) == paho.MQTT_ERR_CONN_LOST


@fake
def test_a_message_that_comes_twice_is_passed_on_twice(tcp_server: RunningServer) -> None:
    mqtt.broker(tcp_server, retained={"wind/now": b"NW"})
    tcp_server.fault(lambda item, context: item.data * 2, direction="downstream", match=mqtt.publish("wind/now"))
    came: queue.Queue[bytes] = queue.Queue()

    with client_of(tcp_server, came):
        assert [came.get(timeout=WAIT), came.get(timeout=WAIT)] == [b"NW", b"NW"]


@fake
def test_an_answer_that_is_stale_does_not_confirm_the_next_message(tcp_server: RunningServer) -> None:
    tcp_server.on(mqtt.publish("rain", payload=b"some")).reply(mqtt.PubAckPacket(77))
    mqtt.broker(tcp_server)
    came: queue.Queue[bytes] = queue.Queue()

    with client_of(tcp_server, came) as client:
        first = client.publish("rain", "some", qos=1)
        client.publish("rain", "none", qos=1).wait_for_publish(WAIT)
        assert not first.is_published()


@fake
def test_an_answer_that_is_late_still_confirms_its_message(tcp_server: RunningServer) -> None:
    mqtt.broker(tcp_server)
    tcp_server.fault(Delay(0.2), direction="downstream", match=mqtt.packet(mqtt.PubAckPacket))
    came: queue.Queue[bytes] = queue.Queue()

    with client_of(tcp_server, came) as client:
        first = client.publish("rain", "some", qos=1)
        first.wait_for_publish(WAIT)
        assert first.is_published()
