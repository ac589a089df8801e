"""A small broker as a ready rule: `mqtt.broker(server)`, to which clients of MQTT connect. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from windsock.errors import PeerError, UsageError
from windsock.net.system import threading
from windsock.protocols.mqtt import packets
from windsock.protocols.mqtt.answers import acknowledgement, connack, suback
from windsock.protocols.mqtt.codec import PROTOCOL, MQTTProtocol
from windsock.protocols.mqtt.connect_packet import ConnectPacket
from windsock.protocols.mqtt.packet import MQTTPacket
from windsock.protocols.mqtt.patterns import PacketPattern, fits_filter
from windsock.protocols.ready_rules import check_server, checked_mapping

__all__ = ["Broker", "broker"]


class Subscriber:
    """What is known of one connection: its subscriptions with their QoS, and its latest packet id."""

    def __init__(self, connection: Any, protocol: MQTTProtocol) -> None:
        self.connection = connection
        self.protocol = protocol
        self._subscriptions: dict[str, int] = {}
        self._latest = 0
        self._lock = threading.Lock()

    def add(self, filters: Iterable[tuple[str, int]]) -> None:
        """Subscribe to topics, each with options, whose lowest bits are the QoS."""
        with self._lock:
            self._subscriptions.update((topic, options & 3) for topic, options in filters)

    def forget(self, filters: Iterable[str]) -> None:
        """Unsubscribe from topics."""
        with self._lock:
            for each in filters:
                self._subscriptions.pop(each, None)

    def delivered(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> packets.PublishPacket | None:
        """Return a message as it gets it, or None if it has no subscription for that."""
        with self._lock:
            granted = [each for wanted, each in self._subscriptions.items() if fits_filter(wanted, topic)]
            if not granted:
                return None
            qos = min(qos, max(granted))
            self._latest = self._latest % 0xFFFF + 1 if qos else self._latest
            id = self._latest if qos else None
        properties = () if self.protocol.version == 5 else None
        return packets.PublishPacket(topic, payload, qos, id, retain, properties=properties)


class Broker:
    """The subscribers of a server, and messages that are retained. A message goes to all that are connected."""

    def __init__(self, server: Any, retained: Mapping[str, bytes | str]) -> None:
        self.retained: dict[str, bytes] = {_topic(topic): _payload(payload) for topic, payload in retained.items()}
        """The messages that a new subscriber gets, by their topics."""
        self._server = server
        self._subscribers: list[Subscriber] = []
        self._lock = threading.RLock()

    def publish(self, topic: str, payload: bytes | str = b"", *, qos: int = 0) -> int:
        """Send a message to those that have subscribed to its topic now; return to how many."""
        if qos not in (0, 1, 2):
            raise UsageError(f"publish({topic!r}, {payload!r}, qos={qos!r}): expected a QoS of 0 to 2")
        return self._deliver(_topic(topic), _payload(payload), qos)

    def answer(self, message: bytes, conversation: Any) -> bytes | None:
        """Return the replies to a packet in a Conversation, or None."""
        known = conversation.kept.get("mqtt")
        packet = (PROTOCOL if known is None else known.protocol).decode(message)
        if isinstance(packet, ConnectPacket):
            conversation.kept["mqtt"] = known = Subscriber(
                self._server.connections[conversation.index], MQTTProtocol(5 if packet.level == 5 else 4)
            )
            with self._lock:
                self._subscribers.append(known)
            return bytes(connack().to(packet) or b"")
        return None if known is None else b"".join(map(bytes, self._replies(packet, known))) or None

    def _replies(self, packet: Any, known: Subscriber) -> Iterator[MQTTPacket]:
        if isinstance(packet, packets.SubscribePacket):
            yield from self._subscribe(packet, known)
        elif reply := acknowledgement(packet):
            yield reply
        if isinstance(packet, packets.UnsubscribePacket):
            known.forget(packet.filters)
        elif isinstance(packet, packets.PublishPacket):
            yield from self._published(packet, known)
        elif isinstance(packet, packets.DisconnectPacket):
            self._remove(known)

    def _subscribe(self, packet: packets.SubscribePacket, known: Subscriber) -> Iterator[MQTTPacket]:
        known.add(packet.filters)
        if reply := suback().to(packet):
            yield reply
        for topic, payload in list(self.retained.items()):
            if any(fits_filter(wanted, topic) for wanted, _ in packet.filters):
                yield known.delivered(topic, payload, 0, retain=True) or packets.PublishPacket(topic, payload)

    def _published(self, packet: packets.PublishPacket, known: Subscriber) -> Iterator[MQTTPacket]:
        if packet.retain and packet.payload:
            self.retained[packet.topic] = packet.payload
        elif packet.retain:  # removes the message that is retained (MQTT 5, 3.3.1.3)
            self.retained.pop(packet.topic, None)
        self._deliver(packet.topic, packet.payload, packet.qos, but=known)
        if own := known.delivered(packet.topic, packet.payload, packet.qos):
            yield own

    def _deliver(self, topic: str, payload: bytes, qos: int, *, but: Subscriber | None = None) -> int:
        """Send a message to the other connections that have subscribed; return to how many."""
        with self._lock:
            others = [each for each in self._subscribers if each is not but]
        return sum(self._sent(each, packet) for each in others if (packet := each.delivered(topic, payload, qos)))

    def _sent(self, known: Subscriber, packet: MQTTPacket) -> bool:
        try:
            known.connection.send(packet)
        except PeerError:  # its client is gone
            self._remove(known)
            return False
        return True

    def _remove(self, known: Subscriber) -> None:
        with self._lock:
            if known in self._subscribers:
                self._subscribers.remove(known)


def _topic(topic: Any) -> str:
    if isinstance(topic, str) and topic and not set(topic) & set("#+"):
        return topic
    raise UsageError(f"mqtt.broker(): {topic!r} is no topic of a message; expected str, without # and +")


def _payload(payload: Any) -> bytes:
    data: object = payload.encode() if isinstance(payload, str) else payload
    if isinstance(data, bytes):
        return data
    raise UsageError(f"mqtt.broker(): the payload {payload!r}; expected bytes or str")


def broker(server: Any, retained: Mapping[str, bytes | str] | None = None) -> Broker:
    """Let a fake be a small broker: clients connect, subscribe and publish, and get what others publish; return it.

    `retained` are messages for those that subscribe to their topics. `publish()` of what is returned sends a message of
    the test. Wills are not published, sessions end with their connection, and a message is sent once. Rules that were
    added before, or with `first=True`, come first. The state is in the memory of this process, so the server must not
    be a forking one. `framing="mqtt"` is needed.
    """
    check_server("mqtt.broker()", server, PROTOCOL)
    made = Broker(server, checked_mapping("mqtt.broker(retained=...)", retained, "{'wind/now': b'NW'}"))
    server.on(PacketPattern(MQTTPacket)).reply_with(made.answer).optional()
    return made
