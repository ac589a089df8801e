"""SMTP (RFC 5321). `smtp.command("MAIL")` matches commands, `smtp.reply(250, "OK")` answers them. No I/O."""

from windsock.protocols.smtp.dialogue import ReceivedMail
from windsock.protocols.smtp.messages import MailChunk, MailData, SMTPCommand, SMTPReply, reply
from windsock.protocols.smtp.patterns import command, mail, response
from windsock.protocols.smtp.protocol import PROTOCOL, SMTPProtocol
from windsock.protocols.smtp.session import SMTPSession, session

__all__ = [
    "PROTOCOL",
    "MailChunk",
    "MailData",
    "ReceivedMail",
    "SMTPCommand",
    "SMTPProtocol",
    "SMTPReply",
    "SMTPSession",
    "command",
    "mail",
    "reply",
    "response",
    "session",
]
