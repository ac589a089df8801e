"""MQTT 3.1.1 and 5: `mqtt.publish("wind/#")` matches packets, `mqtt.connack()` answers them. No I/O."""

from windsock.protocols.mqtt.answers import connack, puback, suback
from windsock.protocols.mqtt.broker import Broker, broker
from windsock.protocols.mqtt.codec import PROTOCOL, MQTTProtocol
from windsock.protocols.mqtt.connect_packet import ConnectPacket, Will
from windsock.protocols.mqtt.packets import (
    AuthPacket,
    ConnAckPacket,
    DisconnectPacket,
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    PubCompPacket,
    PublishPacket,
    PubRecPacket,
    PubRelPacket,
    SubAckPacket,
    SubscribePacket,
    UnsubAckPacket,
    UnsubscribePacket,
)
from windsock.protocols.mqtt.patterns import connect, packet, publish, subscribe

__all__ = [
    "PROTOCOL",
    "AuthPacket",
    "Broker",
    "ConnAckPacket",
    "ConnectPacket",
    "DisconnectPacket",
    "MQTTProtocol",
    "PingReqPacket",
    "PingRespPacket",
    "PubAckPacket",
    "PubCompPacket",
    "PubRecPacket",
    "PubRelPacket",
    "PublishPacket",
    "SubAckPacket",
    "SubscribePacket",
    "UnsubAckPacket",
    "UnsubscribePacket",
    "Will",
    "broker",
    "connack",
    "connect",
    "packet",
    "puback",
    "publish",
    "suback",
    "subscribe",
]
