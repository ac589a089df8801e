"""Mail: `smtplib` sends messages to a session that takes them, and to fakes that refuse, repeat, or go silent."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest

from windsock import RunningServer, Script
from windsock.faults import Delay, HalfClose
from windsock.protocols import smtp

fake = pytest.mark.windsock(framing="smtp")


def message_to(recipient: str, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "ann@example.com"
    message["To"] = recipient
    message["Subject"] = subject
    message.set_content("Northwest, five knots.\n")
    return message


def client_of(server: RunningServer, timeout: float = 5) -> smtplib.SMTP:
    return smtplib.SMTP("localhost", server.port, local_hostname="here", timeout=timeout)


@pytest.mark.windsock(framing="smtp", tls="starttls")
def test_a_message_arrives_as_it_was_sent(tcp_server: RunningServer) -> None:
    session = smtp.session(tcp_server, users={"me": "secret"}, starttls="required")

    with client_of(tcp_server) as client:
        client.starttls(context=tcp_server.client_context())
        client.login("me", "secret")
        client.send_message(message_to("bob@example.com", "The wind today"))

    (mail,) = session.mails
    assert (mail.sender, mail.recipients, mail.is_encrypted) == ("ann@example.com", ("bob@example.com",), True)
    assert (mail.message["Subject"], mail.message.get_content()) == ("The wind today", "Northwest, five knots.\n")


@fake
def test_the_client_falls_back_to_helo(tcp_server: RunningServer) -> None:
    tcp_server.on(smtp.command("EHLO")).reply(smtp.reply(502, "Not here"))
    smtp.session(tcp_server)

    with client_of(tcp_server) as client:
        client.ehlo_or_helo_if_needed()

    lines = [str(request.message) for request in tcp_server.requests.wait(3)]
    assert lines == ["ehlo here", "helo here", "QUIT"]


# --- bad weather


@fake
def test_a_server_that_goes_silent_after_data_is_given_up(tcp_server: RunningServer) -> None:
    script = Script().send(smtp.reply(220, "mail.example ready"))
    for verb in ("EHLO", "MAIL", "RCPT"):
        script = script.expect(smtp.command(verb)).send(smtp.reply(250, "OK"))
    script = script.expect(smtp.command("DATA")).send(smtp.reply(354, "Go on"))
    tcp_server.play(script.expect(smtp.mail("five knots")).expect_eof())

    with client_of(tcp_server, timeout=1.5) as client, pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        client.send_message(message_to("bob@example.com", "The wind today"))


@fake
def test_a_connection_that_ends_before_the_last_reply_is_an_error(tcp_server: RunningServer) -> None:
    session = smtp.session(tcp_server)
    tcp_server.fault(HalfClose(), direction="downstream", match=smtp.response(250, "queued"))

    with client_of(tcp_server) as client, pytest.raises(smtplib.SMTPServerDisconnected):
        client.send_message(message_to("bob@example.com", "The wind today"))

    assert len(session.mails) == 1  # the client can't know


@fake
def test_a_reply_that_comes_twice_is_taken_for_the_next_one(tcp_server: RunningServer) -> None:
    tcp_server.on(smtp.command("RCPT")).reply(smtp.reply(550, "No such user"))
    session = smtp.session(tcp_server)
    tcp_server.fault(lambda item, context: item.data * 2, direction="downstream", match=smtp.response(250, "OK"))

    client = client_of(tcp_server)
    with pytest.raises(smtplib.SMTPDataError, match="No such user"):  # of RCPT, as the reply to DATA
        client.send_message(message_to("bob@example.com", "The wind today"))
    client.close()

    assert session.mails == []


@fake
def test_a_reply_that_is_late_is_given_up(tcp_server: RunningServer) -> None:
    smtp.session(tcp_server)
    tcp_server.fault(Delay(30), direction="downstream", match=smtp.response(250, "queued"))

    with client_of(tcp_server, timeout=1.5) as client, pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        client.send_message(message_to("bob@example.com", "The wind today"))
