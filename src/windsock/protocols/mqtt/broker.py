"""A small broker as a ready rule: `mqtt.broker(server)`, to which clients of MQTT connect. No I/O."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from windsock.errors import UsageError, WindsockError
from windsock.net.system import threading
from windsock.protocols.mqtt import packets
from windsock.protocols.mqtt.answers import acknowledgement, connack, suback
from windsock.protocols.mqtt.codec import PROTOCOL, MQTTProtocol
from windsock.protocols.mqtt.connect_packet import ConnectPacket
from windsock.protocols.mqtt.packet import MQTTPacket
from windsock.protocols.mqtt.patterns import PacketPattern, fits_filter
from windsock.protocols.ready_rules import check_keeps_state

__all__ = ["Broker", "broker"]


@dataclass(slots=True)
class Subscriber:
    """What is known of one connection: its subscriptions with their QoS, and its latest packet id."""

    protocol: MQTTProtocol
    subscriptions: dict[str, int] = field(default_factory=dict)
    latest: int = 0

    def delivered(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> packets.PublishPacket | None:
        """Return a message as it gets it, or None if it has no subscription for that."""
        granted = [each for wanted, each in self.subscriptions.items() if fits_filter(wanted, topic)]
        if not granted:
            return None
        qos = min(qos, max(granted))
        self.latest = self.latest % 0xFFFF + 1 if qos else self.latest
        properties = () if self.protocol.version == 5 else None
        return packets.PublishPacket(topic, payload, qos, self.latest if qos else None, retain, properties=properties)


class Broker:
    """The subscribers of a server, and messages that are retained. A message goes to all that are connected."""

    def __init__(self, server: Any, retained: Mapping[str, bytes]) -> None:
        self.retained: dict[str, bytes] = dict(retained)
        """The messages that a new subscriber gets, by their topics."""
        self._server = server
        self._subscribers: dict[int, Subscriber] = {}
        self._lock = threading.RLock()

    def publish(self, topic: str, payload: bytes | str = b"", *, qos: int = 0) -> int:
        """Send a message to those that have subscribed to its topic now; return to how many."""
        data: object = payload.encode() if isinstance(payload, str) else payload
        if not isinstance(data, bytes) or qos not in (0, 1, 2):
            raise UsageError(
                f"publish({topic!r}, {payload!r}, qos={qos!r}): expected bytes or str, and a QoS of 0 to 2"
            )
        return self._deliver(topic, data, qos)

    def answer(self, message: bytes, conversation: Any) -> bytes | None:
        """Return the replies to a packet, or None."""
        index = conversation.index
        with self._lock:
            known = self._subscribers.get(index)
        packet = (PROTOCOL if known is None else known.protocol).decode(message)
        if isinstance(packet, ConnectPacket):
            version = 5 if packet.level == 5 else 4
            with self._lock:
                self._subscribers[index] = Subscriber(MQTTProtocol(version))
            return bytes(connack().to(packet) or b"")
        if known is None:
            return None
        return b"".join(map(bytes, self._replies(packet, known, index))) or None

    def _replies(self, packet: Any, known: Subscriber, index: int) -> Iterator[MQTTPacket]:
        if isinstance(packet, packets.SubscribePacket):
            yield from self._subscribe(packet, known)
        elif reply := acknowledgement(packet):
            yield reply
        if isinstance(packet, packets.UnsubscribePacket):
            for each in packet.filters:
                known.subscriptions.pop(each, None)
        elif isinstance(packet, packets.PublishPacket):
            yield from self._published(packet, known, index)
        elif isinstance(packet, packets.DisconnectPacket):
            with self._lock:
                self._subscribers.pop(index, None)

    def _subscribe(self, packet: packets.SubscribePacket, known: Subscriber) -> Iterator[MQTTPacket]:
        known.subscriptions.update((topic, options & 3) for topic, options in packet.filters)
        if reply := suback().to(packet):
            yield reply
        for topic, payload in self.retained.items():
            if any(fits_filter(wanted, topic) for wanted, _ in packet.filters):
                yield known.delivered(topic, payload, 0, retain=True) or packets.PublishPacket(topic, payload)

    def _published(self, packet: packets.PublishPacket, known: Subscriber, index: int) -> Iterator[MQTTPacket]:
        if packet.retain:
            self.retained[packet.topic] = packet.payload
        self._deliver(packet.topic, packet.payload, packet.qos, but=index)
        if own := known.delivered(packet.topic, packet.payload, packet.qos):
            yield own

    def _deliver(self, topic: str, payload: bytes, qos: int, *, but: int | None = None) -> int:
        """Send a message to the other connections that have subscribed; return to how many."""
        with self._lock:
            others = [(index, each) for index, each in self._subscribers.items() if index != but]
            found = [(index, each.delivered(topic, payload, qos)) for index, each in others]
        sent = 0
        for index, packet in found:
            if packet is not None:
                with contextlib.suppress(WindsockError):  # its client is gone
                    self._server.connections[index].send(packet)
                    sent += 1
        return sent


def broker(server: Any, retained: Mapping[str, bytes] | None = None) -> Broker:
    """Let a fake be a small broker: clients connect, subscribe and publish, and get what others publish; return it.

    `retained` are messages for those that subscribe to their topics. `publish()` of what is returned sends a message of
    the test. Wills are not published, sessions end with their connection, and a message is sent once. Rules that were
    added before, or with `first=True`, come first. The state is in the memory of this process, so the server must not
    be a forking one. `framing="mqtt"` is needed.
    """
    check_keeps_state("mqtt.broker()", server)
    made = Broker(server, retained or {})
    server.on(PacketPattern(MQTTPacket)).reply_with(made.answer).optional()
    return made
