"""DNS over UDP and TCP. `dns.query("example.org", "A")` matches queries, `dns.answer("192.0.2.1")` answers. No I/O."""

from windsock.protocols.dns.answers import DNSAnswer, answer, error, nxdomain, refused, servfail, truncated
from windsock.protocols.dns.messages import EDNS, DNSMessage, Question
from windsock.protocols.dns.patterns import PROTOCOL, DNSProtocol, ask, query, response
from windsock.protocols.dns.zone import Zone, zone

__all__ = [
    "EDNS",
    "PROTOCOL",
    "DNSAnswer",
    "DNSMessage",
    "DNSProtocol",
    "Question",
    "Zone",
    "answer",
    "ask",
    "error",
    "nxdomain",
    "query",
    "refused",
    "response",
    "servfail",
    "truncated",
    "zone",
]
