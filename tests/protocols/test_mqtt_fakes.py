"""Fakes of MQTT: the small broker and rules, with paho, and what tests read of it."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from typing import Any

import pytest

from windsock import UsageError, proxy, scripted_client, serving
from windsock.harness import CONCURRENCIES
from windsock.protocols import DecodeError, FramingError, mqtt

paho = pytest.importorskip("paho.mqtt.client")

WAIT = 20.0
"""Seconds until what was to come has not."""
on_both_versions = pytest.mark.parametrize("version", [4, 5])


class PahoClient:
    """A client of paho in a thread of its own, with queues of what came."""

    def __init__(self, address: Any, version: int, name: str = "me") -> None:
        self.messages: queue.Queue[tuple[str, bytes, int, bool]] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()
        self.its = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=version)
        self.its.on_message = lambda *args: self._came(args[2])
        self.its.on_connect = lambda *args: self.answers.put(args[3].value)
        self.its.on_subscribe = lambda *args: self.answers.put([each.value for each in args[3]])
        self.its.connect(*address)
        self.its.loop_start()
        self.reason = self.answers.get(timeout=WAIT)

    def _came(self, message: Any) -> None:
        self.messages.put((message.topic, message.payload, message.qos, bool(message.retain)))

    def subscribe(self, topic: str, qos: int = 0) -> Any:
        self.its.subscribe(topic, qos=qos)
        return self.answers.get(timeout=WAIT)

    def publish(self, topic: str, payload: Any, qos: int = 0, **options: Any) -> None:
        self.its.publish(topic, payload, qos=qos, **options).wait_for_publish(WAIT)

    def message(self) -> tuple[str, bytes, int, bool]:
        return self.messages.get(timeout=WAIT)


@contextlib.contextmanager
def client_of(server: Any, version: int, name: str = "me") -> Iterator[PahoClient]:
    client = PahoClient(server.address, version, name)
    try:
        yield client
    finally:
        client.its.disconnect()
        client.its.loop_stop()
        del client.its  # it closes its sockets when it is gone


@on_both_versions
@pytest.mark.parametrize("concurrency", [each for each in CONCURRENCIES if each != "forking"])
def test_a_client_works_with_the_broker(concurrency: str, version: int) -> None:
    with serving(framing="mqtt", concurrency=concurrency) as server:
        broker = mqtt.broker(server, {"wind/now": b"NW"})
        with client_of(server, version) as client:
            assert client.subscribe("wind/#", 2) == [2]
            assert client.message() == ("wind/now", b"NW", 0, True)
            for qos in (0, 1, 2):
                assert broker.publish("wind/pushed", "hello", qos=qos) == 1
                assert client.message() == ("wind/pushed", b"hello", qos, False)
            assert broker.publish("rain") == 0
            for qos in (0, 1, 2):
                client.publish("wind/own", b"\0\1", qos)
                assert client.message() == ("wind/own", b"\0\1", qos, False)

        connect = server.requests[0].message
        assert (connect.client_id, connect.level) == ("me", version)
        assert server.requests[1].message.filters == (("wind/#", 2),)
        assert server.requests[1].reply_message.reasons == (2,)


@on_both_versions
@pytest.mark.parametrize("concurrency", [each for each in CONCURRENCIES if each not in ("forking", "sync")])
def test_a_client_gets_what_another_one_publishes(concurrency: str, version: int) -> None:
    with serving(framing="mqtt", concurrency=concurrency) as server:
        broker = mqtt.broker(server)
        with client_of(server, version) as reader, client_of(server, 9 - version, "other") as writer:
            reader.subscribe("wind/+", 1)
            writer.publish("wind/now", "NW", 2, retain=True)
            assert reader.message() == ("wind/now", b"NW", 1, False)
        assert broker.retained == {"wind/now": b"NW"}


@on_both_versions
def test_a_fake_of_rules_answers_a_client(version: int) -> None:
    with serving(framing="mqtt") as server:
        server.on(mqtt.connect("stranger")).reply(mqtt.connack(135 if version == 5 else 5), end="close")
        server.on(mqtt.connect("me")).reply(mqtt.connack())
        server.on(mqtt.subscribe()).reply(mqtt.suback(128))
        server.on(mqtt.publish("wind/#", payload=b"NW")).reply(mqtt.puback())
        server.on(mqtt.packet(mqtt.DisconnectPacket)).reply_with(lambda message: None).optional()
        with client_of(server, version) as client:
            assert client.subscribe("wind/#") == [128]
            client.publish("wind/now", "NW", 1)
            server.connections[0].send(mqtt.PublishPacket("news", b"hi", properties=() if version == 5 else None))
            assert client.message() == ("news", b"hi", 0, False)
        with client_of(server, version, "stranger") as client:
            assert client.reason == 135  # not authorized


@on_both_versions
def test_a_proxy_knows_which_packet_answers_which(version: int) -> None:
    with serving(framing="mqtt") as server, proxy(server.address, framing="mqtt") as between:
        mqtt.broker(server)
        with client_of(between, version) as client:
            client.subscribe("own", 1)
            client.publish("own", "x", 1)
            assert client.message()[1] == b"x"
        asked = next(each for each in between.requests if isinstance(each.message, mqtt.PublishPacket))
        assert asked.reply_message == mqtt.PubAckPacket(asked.message.id)


def test_faults_see_packets() -> None:
    with serving(framing="mqtt") as server:
        mqtt.broker(server)
        server.fault(lambda item, context: item.data * 2, direction="downstream", match=mqtt.publish("wind/#"))
        with client_of(server, 4) as client:
            client.subscribe("#")
            client.publish("wind/now", "NW")
            assert [client.message()[:2] for _ in range(2)] == [("wind/now", b"NW")] * 2


def test_a_malformed_packet_is_kept_with_the_reason() -> None:
    with serving(framing="mqtt", strict=False) as server:
        server.reply(mqtt.DisconnectPacket(0x81, ()))
        with scripted_client(server.address) as client:
            client.send(b"\x36\6\0\1a\0\1x").expect(mqtt.DisconnectPacket(0x81, ()))

        request = server.requests.only()
        assert request.data == b"\x36\6\0\1a\0\1x"
        with pytest.raises(DecodeError, match="a QoS of 3"):
            _ = request.message
        assert any("no MQTT message (offset 0, flags: a QoS of 3)" in line for line in server.transcript())


def test_bytes_that_begin_no_packet_are_an_error_and_kept() -> None:
    with serving(framing="mqtt", strict=False) as server:
        mqtt.broker(server)
        with scripted_client(server.address) as client:
            client.send(b"GET / HTTP/1.1\r\n\r\n")
        server.drain()

        with pytest.raises(FramingError, match="flags 7 of PUBACK are not allowed"):
            _ = server.requests[0]
        assert server.connections[0].upstream == b"GET / HTTP/1.1\r\n\r\n"


def test_what_makes_no_broker_is_refused() -> None:
    with serving(framing="mqtt") as server, pytest.raises(UsageError, match="a QoS of 0 to 2"):
        mqtt.broker(server).publish("a", "x", qos=3)
    with serving(framing="mqtt", concurrency="forking") as server, pytest.raises(UsageError, match="forking"):
        mqtt.broker(server)


def test_the_version_of_a_server_may_be_given() -> None:
    with serving(framing=mqtt.MQTTProtocol(4)) as server:
        mqtt.broker(server)
        with scripted_client(server.address) as client:
            client.send(mqtt.ConnectPacket("me")).expect(mqtt.ConnAckPacket())
            client.send(mqtt.PublishPacket("a", b"\0x", 1, 1)).expect(mqtt.PubAckPacket(1))

        assert server.requests[1].message.payload == b"\0x"


def test_an_empty_message_removes_the_one_that_is_retained() -> None:
    with serving(framing="mqtt") as server:
        broker = mqtt.broker(server, {"wind": "NW"})
        with server.connect() as client:
            client.send(mqtt.ConnectPacket("vane")).expect(mqtt.ConnAckPacket())
            assert broker.retained == {"wind": b"NW"}
            client.send(mqtt.PublishPacket("wind", b"", 1, 1, retain=True)).expect(mqtt.PubAckPacket(1))
            assert broker.retained == {}
