"""SMTP messages as values, the sessions that are made of them, and smtplib as their client."""

from __future__ import annotations

import os
import smtplib
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cutting import cut_all
from tests.support.servers import STREAMS
from windsock import RunningServer, Script, UsageError, proxy, scripted_client, serving
from windsock.fakes.errors import UnexpectedMessage
from windsock.harness import CONCURRENCIES
from windsock.protocols import DecodeError, smtp
from windsock.protocols.smtp import PROTOCOL, MailChunk, MailData, SMTPCommand, SMTPReply

often = settings(max_examples=int(os.environ.get("WINDSOCK_EXAMPLES", "100")), database=None, deadline=None)
pytestmark = pytest.mark.timeout(1800)  # for as many as are asked for

CODE = {"smtp": smtp}
ANN, BOB = "ann@example.com", "bob@example.com"


def the_mail(subject: str = "The wind today", text: str = "Northwest.\n.five knots\n..\n") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = ANN, BOB, subject
    made.set_content(text)
    return made


def client_of(server: RunningServer) -> smtplib.SMTP:
    return smtplib.SMTP("localhost", server.port, local_hostname="here.example", timeout=10)


# --- values


@pytest.mark.parametrize(
    ("data", "value", "words"),
    [
        (b"MAIL FROM:<a@b>\r\n", SMTPCommand("MAIL FROM:<a@b>"), "MAIL FROM:<a@b>"),
        (b"quit\r\n", SMTPCommand("quit"), "quit"),
        (b"bWU=\r\n", SMTPCommand("bWU="), "bWU="),
        ("VRFY \u00e4".encode() + b"\xff\r\n", SMTPCommand("VRFY \u00e4\udcff"), "VRFY \u00e4\udcff"),
        (b".\r\n", MailData(b""), "mail (0 bytes)"),
        (b"a\r\n..b\r\n.\r\n", MailData(b"a\r\n.b\r\n"), "mail (7 bytes)"),
        (b"...\r\n.\r\n", MailData(b"..\r\n"), "mail (4 bytes)"),
        (b"Subject: x y\r\n\r\nz\r\n.\r\n", MailData(b"Subject: x y\r\n\r\nz\r\n"), "mail x y (19 bytes)"),
        (b"BDAT 3\r\n\r\n.", MailChunk(b"\r\n."), "BDAT 3"),
        (b"BDAT 5 LAST\r\na\r\n.\n", MailChunk(b"a\r\n.\n", is_last=True), "BDAT 5 LAST"),
        (b"BDAT 5 LAST\r\n\r\n.\r\n", MailChunk(b"\r\n.\r\n", is_last=True), "BDAT 5 LAST"),
    ],
)
def test_a_message_of_a_client_is_a_value(data: bytes, value: Any, words: str) -> None:
    assert PROTOCOL.decode(data) == value
    assert bytes(value) == data
    assert str(value) == words
    assert eval(repr(value), CODE) == value


@pytest.mark.parametrize(
    ("data", "value", "words"),
    [
        (b"250 OK\r\n", smtp.reply(250, "OK"), "250 OK"),
        (b"250-a\r\n250-b c\r\n250 d\r\n", smtp.reply(250, "a", "b c", "d"), "250 a, b c, d"),
        (b"334 \r\n", smtp.reply(334), "334"),
    ],
)
def test_a_reply_is_a_value(data: bytes, value: SMTPReply, words: str) -> None:
    assert [PROTOCOL.reply_size(data[:end]) for end in (4, len(data) - 1, len(data))] == [None, None, len(data)]
    assert PROTOCOL.decode_reply(data) == value
    assert bytes(value) == data
    assert str(value) == words
    assert eval(repr(value), CODE) == value


def test_commands_have_a_verb_an_argument_and_an_address() -> None:
    said = SMTPCommand("rcpt to: <bob@example.com> NOTIFY=NEVER")
    assert (said.verb, said.argument, said.address) == ("RCPT", "to: <bob@example.com> NOTIFY=NEVER", BOB)
    assert SMTPCommand("NOOP").address is None


def test_a_mail_follows_data_unless_its_reply_is_an_error() -> None:
    protocol = PROTOCOL.begin()
    protocol.passed(b"220 mail.example\r\n", is_reply=True)
    for line in (b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"data\r\n"):
        assert protocol.size(line + b"x") == len(line)
        protocol.passed(line, is_reply=False)
    assert [protocol.size(each) for each in (b"x\r\n", b"x\r\n.\r", b"x\r\n.\r\ny", b".\r\ny")] == [None, None, 6, 3]
    for each in (b"250 OK\r\n", b"250 OK\r\n", b"354 Go on\r\n"):
        protocol.passed(each, is_reply=True)
        assert protocol.size(b"x\r\n") is None
    protocol.passed(b"DATA\r\n.\r\n", is_reply=False)
    assert protocol.size(b"x\r\n") == 3

    protocol.passed(b"250 OK\r\n", is_reply=True)
    protocol.passed(b"DATA\r\n", is_reply=False)
    protocol.passed(b"503 No\r\n", is_reply=True)
    assert protocol.size(b"RSET\r\n") == 6


@pytest.mark.parametrize(
    "code",
    [
        "smtp.command()",
        "smtp.command('MAIL')",
        "smtp.command('RCPT', 'TO:<bob@example.com>')",
        "smtp.mail()",
        "smtp.mail('knots')",
        "smtp.mail('knots', Subject='x')",
        "smtp.response()",
        "smtp.response(250)",
        "smtp.response(250, 'OK')",
        "smtp.response(text='OK')",
    ],
)
def test_a_pattern_is_code(code: str) -> None:
    assert repr(eval(code, CODE)) == code


def test_patterns_match_what_is_meant() -> None:
    mail = bytes(MailData(bytes(the_mail()).replace(b"\n", b"\r\n")))
    assert smtp.mail("knots", subject="The wind today")(mail)
    assert not smtp.mail(subject="The wind")(mail)
    assert not smtp.mail("gale")(mail)
    assert not smtp.command()(mail)
    assert smtp.command("rcpt", "to:<BOB@")(b"RCPT TO:<bob@example.com>\r\n")
    assert not smtp.command("MAIL")(b"RCPT TO:<bob@example.com>\r\n")
    assert smtp.command("MAIL").why_not(b"RCPT TO:<b@c>\r\n") == "it is RCPT TO:<b@c>"
    assert smtp.response(250, "TLS")(b"250-mail.example\r\n250 STARTTLS\r\n")
    assert not smtp.response(220)(b"250 OK\r\n")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: smtp.reply(99), "from 200 to 599"),
        (lambda: smtp.reply(250, "a\r\nb"), "without line ends"),
        (lambda: smtp.reply(250, b"a"), "expected a str"),  # type: ignore[arg-type]
        (lambda: smtp.command("MAIL FROM"), "one word"),
        (lambda: smtp.command(1), "expected a str"),  # type: ignore[arg-type]
        (lambda: smtp.mail(subject=1), "expected a str"),  # type: ignore[arg-type]
        (lambda: smtp.response("250"), "expected a code"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_value_is_an_error_of_the_test(make: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


# --- sessions


@pytest.mark.parametrize("concurrency", [each for each in CONCURRENCIES if each != "forking"])
@pytest.mark.parametrize("starttls", [False, True])
def test_smtplib_sends_a_mail(concurrency: str, *, starttls: bool) -> None:
    options: Any = {"tls": "starttls"} if starttls else {}
    with serving(concurrency=concurrency, framing="smtp", **options) as server:
        session = smtp.session(server, users={"me": "secret"})
        with client_of(server) as client:
            if starttls:
                client.starttls(context=server.client_context())
                client.ehlo()
            assert client.has_extn("starttls") is False
            client.login("me", "secret")
            client.send_message(the_mail())
            client.send_message(the_mail("The second one"))
        server.drain()

        first, second = session.mails
        assert (first.sender, first.recipients, first.user, first.helo) == (ANN, (BOB,), "me", "here.example")
        assert first.is_encrypted is starttls
        assert first.message["Subject"] == "The wind today"
        assert first.message.get_content() == "Northwest.\n.five knots\n..\n"
        assert second.message["Subject"] == "The second one"
        assert any("mail The wind today (" in line for line in server.transcript())
        assert not any("secret" in line or "AG1lAHNlY3JldA" in line for line in server.transcript())


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("initial", [True, False])
def test_each_form_of_auth_is_known(transport: str, mechanism: str, *, initial: bool) -> None:
    whole = "AG1lAHNlY3JldA==" if mechanism == "PLAIN" else "bWU="
    with serving(transport=transport, framing="smtp") as server:
        smtp.session(server, users={"me": "secret"})
        with server.connect() as peer:
            peer.expect(smtp.response(220)).send(SMTPCommand("EHLO here")).expect(smtp.response(250, "PLAIN LOGIN"))
            peer.send(SMTPCommand(f"AUTH {mechanism} {whole}" if initial else f"auth {mechanism.lower()}"))
            if not initial:
                peer.expect(smtp.response(334)).send(SMTPCommand(whole))
            if mechanism == "LOGIN":
                peer.expect(smtp.reply(334, "UGFzc3dvcmQ6")).send(SMTPCommand("c2VjcmV0"))
            peer.expect(smtp.response(235))


def test_a_client_that_may_not_is_told_so() -> None:
    with serving(framing="smtp", tls="starttls") as server:
        session = smtp.session(server, users={"me": "secret"}, starttls="required")
        with client_of(server) as client:
            with pytest.raises(smtplib.SMTPNotSupportedError):
                client.login("me", "secret")
            with pytest.raises(smtplib.SMTPSenderRefused, match="STARTTLS"):
                client.send_message(the_mail())
            client.starttls(context=server.client_context())
            with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
                client.send_message(the_mail())
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("me", "wrong")
            client.login("me", "secret")
            client.send_message(the_mail())
        assert [each.user for each in session.mails] == ["me"]


def test_rules_before_a_session_come_first() -> None:
    with serving(framing="smtp") as server:
        server.on(smtp.command("RCPT", "TO:<nobody@")).reply(smtp.reply(550, "No such user"))
        server.on(smtp.mail(subject="Too much")).reply(smtp.reply(452, "The disk is full"))
        session = smtp.session(server)
        with client_of(server) as client:
            refused = client.sendmail(ANN, ["nobody@example.com", BOB], "Subject: one\r\n\r\n")
            assert refused == {"nobody@example.com": (550, b"No such user")}
            with pytest.raises(smtplib.SMTPDataError, match="disk is full"):
                client.send_message(the_mail("Too much"))
            client.send_message(the_mail())
        assert [each.recipients for each in session.mails] == [(BOB,), (BOB,)]


def test_commands_out_of_order_and_unknown_ones_are_refused() -> None:
    lines = {
        "MAIL FROM:<a@b>": 503,
        "EHLO x": 250,
        "RCPT TO:<a@b>": 503,
        "DATA": 503,
        "BDAT 0 LAST": 503,
        "MAIL FROM a@b": 501,
        "MAIL FROM:<>": 250,
        "MAIL FROM:<c@d>": 503,
        "RCPT TO a@b": 501,
        "NOOP": 250,
        "VRFY a": 252,
        "AUTH PLAIN": 502,
        "STARTTLS": 502,
        "TURN": 500,
        "HELO x": 250,
        "RSET": 250,
    }
    with serving(framing="smtp") as server:
        session = smtp.session(server)
        with server.connect() as peer:
            peer.expect(smtp.response(220))
            for line, code in lines.items():
                peer.send(SMTPCommand(line)).expect(smtp.response(code))
            peer.send(SMTPCommand("QUIT")).expect(smtp.response(221)).expect_eof()
        assert session.mails == []


def test_a_login_that_goes_wrong_is_refused() -> None:
    with serving(framing="smtp") as server:
        smtp.session(server, users={"me": "secret"})
        with scripted_client(server.address) as peer:
            peer.expect(smtp.response(220)).send(SMTPCommand("EHLO x")).expect(smtp.response(250))
            for line, code in (("AUTH GSSAPI", 504), ("AUTH LOGIN !", 501), ("AUTH PLAIN =", 535)):
                peer.send(SMTPCommand(line)).expect(smtp.response(code))
            peer.send(SMTPCommand("AUTH LOGIN")).expect(smtp.response(334)).send(SMTPCommand("*"))
            peer.expect(smtp.response(501)).send(SMTPCommand("AUTH PLAIN AG1lAHNlY3JldA==")).expect(smtp.response(235))
            peer.send(SMTPCommand("AUTH PLAIN AG1lAHNlY3JldA==")).expect(smtp.response(503))


def test_commands_that_come_at_once_are_answered_in_order() -> None:
    with serving(framing="smtp") as server:
        session = smtp.session(server)
        peer = scripted_client(server.address)
        peer.send(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", pieces=9)
        for code in (220, 250, 250, 250, 354):
            peer.expect(smtp.response(code))
        peer.send(b"QUIT\r\n.\r\nMAIL FROM:<e@f>\r\nRCPT TO:<g@h>\r\nBDAT 4\r\nDATABDAT 6 LAST\r\n\r\n.\r\n.QUIT\r\n")
        for code in (250, 250, 250, 250, 250, 221):
            peer.expect(smtp.response(code))
        peer.expect_eof().close()
        assert [each.data for each in session.mails] == [b"QUIT\r\n", b"DATA\r\n.\r\n."]


def test_a_script_of_a_server_expects_commands_and_a_mail() -> None:
    script = Script().send(smtp.reply(220, "mail.example"))
    for verb in ("EHLO", "MAIL", "RCPT"):
        script = script.expect(smtp.command(verb)).send(smtp.reply(250, "OK"))
    script = script.expect(smtp.command("DATA")).send(smtp.reply(354, "Go on")).expect(smtp.mail("knots"))
    with serving(framing="smtp") as server:
        server.play(
            script.send(smtp.reply(250, "OK")).expect(smtp.command("QUIT")).send(smtp.reply(221, "Bye")).close()
        )
        with client_of(server) as client:
            client.send_message(the_mail())


def test_the_messages_that_pass_a_proxy_are_values() -> None:
    with serving(framing="smtp") as server, proxy(server.address, framing="smtp") as between:
        session = smtp.session(server)
        with smtplib.SMTP(between.host, between.port, timeout=10) as client:
            client.send_message(the_mail())
        requests = between.requests.wait(6)
        assert [type(each.message) for each in requests[:5]] == [SMTPCommand] * 4 + [MailData]
        assert requests[4].message.data == session.mails[0].data
        assert requests[3].reply_message.code == 354


def test_a_fault_finds_a_mail_on_its_way() -> None:
    with serving(framing="smtp") as server:
        session = smtp.session(server)
        change = lambda item, context: item.data.replace(b"five", b"nine")  # noqa: E731  # short
        fault = server.fault(change, direction="upstream", match=smtp.mail(subject="The wind today"))
        with client_of(server) as client:
            client.send_message(the_mail("five of them"))
            client.send_message(the_mail())
        assert [b"nine knots" in each.data for each in session.mails] == [False, True]
        assert fault.fired == 1


@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_a_rule_starts_tls_after_its_reply(concurrency: str) -> None:
    with serving(concurrency=concurrency, framing="smtp", tls="starttls") as server:
        server.greet(smtp.reply(220, "mail.example"))
        server.on(smtp.command("STARTTLS")).reply(smtp.reply(220, "Go on"), end="start_tls")
        server.on(smtp.command("EHLO")).reply(smtp.reply(250, "mail.example", "STARTTLS"))
        server.on(smtp.command("QUIT")).reply(smtp.reply(221, "Bye"))
        with client_of(server) as client:
            client.starttls(context=server.client_context())
            assert client.ehlo()[0] == 250
        server.drain()
        assert server.connections[0].tls is not None
        assert "end='start_tls'" in repr(server.on(b"x\r\n").reply(b"y", end="start_tls").optional())


def test_tls_can_not_start_on_a_server_without_it() -> None:
    with serving(framing="lines", strict=False) as server:
        server.on(b"STARTTLS").reply(b"220 Go on\r\n", end="start_tls")
        with server.connect() as peer:
            peer.send(b"STARTTLS\r\n").expect(b"220 Go on\r\n").expect_eof()
        server.drain()
        assert [str(each) for each in server.errors] == [
            "start_tls: this server does not speak TLS; pass tls='starttls'"
        ]


def test_a_command_in_the_clear_behind_starttls_is_an_error() -> None:
    with serving(framing="smtp", tls="starttls", strict=False) as server:
        session = smtp.session(server)
        with scripted_client(server.address) as peer:
            peer.expect(smtp.response(220)).send(b"EHLO x\r\nSTARTTLS\r\nMAIL FROM:<evil@example.com>\r\n")
            peer.expect(smtp.response(250)).expect(smtp.response(220))
            server.connections.wait(1)
        server.drain()
        assert "unencrypted data" in str(server.errors[0])
        assert session.mails == []


def test_a_session_in_tls_from_the_first_byte() -> None:
    with serving(framing="smtp", tls=True) as server:
        session = smtp.session(server, users={"me": "secret"})
        context = server.client_context()
        with smtplib.SMTP_SSL("localhost", server.port, timeout=10, context=context) as client:
            client.login("me", "secret")
            client.send_message(the_mail())
        assert [(each.user, each.is_encrypted) for each in session.mails] == [("me", True)]


# --- bad input


def test_starttls_in_tls_is_an_error_of_the_client() -> None:
    with serving(framing="smtp", tls="starttls", strict=False) as server:
        smtp.session(server)
        client = client_of(server)
        client.starttls(context=server.client_context())
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.docmd("STARTTLS")
        client.close()
        server.drain()
        assert [str(each) for each in server.errors] == ["STARTTLS came in TLS, where it is not offered"]


def test_a_session_needs_the_framing_and_a_shared_memory() -> None:
    with serving() as server, pytest.raises(UsageError, match="framing"):
        smtp.session(server)
    with serving(concurrency="forking", framing="smtp") as server, pytest.raises(UsageError, match="forking"):
        smtp.session(server)
    with serving(framing="smtp") as server:
        with pytest.raises(UsageError, match="tls='starttls'"):
            smtp.session(server, starttls=True)
        with pytest.raises(UsageError, match="is no mapping; expected one such as"):
            smtp.session(server, users=["me"])  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="expected True, False or 'required'"):
            smtp.session(server, starttls="always")  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"\r\n", b"NOOP\n", b"NO\0OP\r\n", b"NO\rOP\r\n"])
def test_a_malformed_command_is_recorded_with_the_reason(data: bytes) -> None:
    with serving(framing="smtp", strict=False) as server:
        smtp.session(server)
        with scripted_client(server.address) as peer:
            peer.expect(smtp.response(220)).send(data)
            request = server.requests.wait(1)[0]
            assert request.data == data
            with pytest.raises(DecodeError):
                _ = request.message
        server.drain()
        assert any("no SMTP message (" in line for line in server.transcript())
        assert [type(each) for each in server.errors] == [UnexpectedMessage]


@pytest.mark.parametrize(
    "data", [b"OK\r\n", b"250 a\n", b"250-a\r\n251 b\r\n", b"950 a\r\n", b"250x\r\n", b"250-a\r\nb\r\n"]
)
def test_a_malformed_reply_is_an_error_of_decoding(data: bytes) -> None:
    assert PROTOCOL.reply_size(data) == len(data)
    with pytest.raises(DecodeError):
        PROTOCOL.decode_reply(data)


pieces = st.sampled_from([b"\r\n", b"\n", b".", b"-", b" ", b"DATA", b"BDAT 3", b" LAST", b"250", b"a", b"\0", b"\xff"])
streams = st.lists(pieces | st.binary(max_size=3), min_size=1, max_size=30).map(b"".join).filter(bool)


@often
@given(streams, st.booleans())
def test_any_bytes_are_messages_or_errors_of_decoding(data: bytes, is_reply: bool) -> None:
    for found in cut_all(PROTOCOL, data, is_reply=is_reply):
        assert eval(repr(found), CODE) == found
        decode: Any = PROTOCOL.decode_reply if is_reply else PROTOCOL.decode
        assert decode(bytes(found)) == found


@often
@given(streams)
def test_every_mail_comes_back_from_its_encoding(data: bytes) -> None:
    whole = bytes(MailData(data))
    protocol = PROTOCOL.begin()
    protocol.passed(b"DATA\r\n", is_reply=False)
    assert protocol.size(whole + b"QUIT\r\n") == len(whole)
    found = protocol.decode(whole)
    if isinstance(found, MailData):  # some mails look like a chunk of BDAT
        assert found.data in (data, data + b"\r\n")
