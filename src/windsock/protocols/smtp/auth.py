"""Logins by AUTH PLAIN and AUTH LOGIN (RFC 4954, 4616). No I/O."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from windsock.protocols.smtp.messages import SMTPReply, reply, text_of

__all__ = ["Login"]


@dataclass(slots=True)
class Login:
    """The login of one client."""

    user: str = ""
    """The user, once the password was right."""
    _asked: str = ""
    """What a line is to answer: "PLAIN", "user" or "password"."""
    _name: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the next line answers a challenge."""
        return bool(self._asked)

    def begin(self, argument: str, users: Mapping[str, str]) -> SMTPReply:
        """Return the reply to AUTH."""
        mechanism, _, initial = argument.partition(" ")
        if self.user:
            return reply(503, "Already authenticated")
        if mechanism.upper() not in ("PLAIN", "LOGIN"):
            return reply(504, "Mechanism is not known")
        is_plain = mechanism.upper() == "PLAIN"
        self._asked = "PLAIN" if is_plain else "user"
        if initial:
            return self.go_on("" if initial == "=" else initial, users)
        return _challenge("" if is_plain else "Username:")

    def go_on(self, line: str, users: Mapping[str, str]) -> SMTPReply:
        """Return the reply to a line that answers a challenge."""
        asked, self._asked = self._asked, ""
        if line == "*":
            return reply(501, "Authentication cancelled")
        try:
            given = text_of(base64.b64decode(line.encode(), validate=True))
        except (binascii.Error, UnicodeEncodeError):
            return reply(501, "That is not base64")
        if asked == "user":
            self._name, self._asked = given, "password"
            return _challenge("Password:")
        if asked == "password":
            return self._checked(self._name, given, users)
        _, _, rest = given.partition("\0")
        name, _, password = rest.partition("\0")
        return self._checked(name, password, users)

    def _checked(self, name: str, password: str, users: Mapping[str, str]) -> SMTPReply:
        if name not in users or users[name] != password:
            return reply(535, "Authentication failed")
        self.user = name
        return reply(235, "Authentication succeeded")


def _challenge(text: str) -> SMTPReply:
    return reply(334, base64.b64encode(text.encode()).decode())
