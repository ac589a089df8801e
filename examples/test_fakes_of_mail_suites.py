"""Servers for the clients of mail and files in the standard library: POP3, IMAP, SMTP and FTP, each as a few rules."""

from __future__ import annotations

import base64
import ftplib
import hmac
import imaplib
import io
import poplib
import re
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_windsock import Serve
from windsock import Conversation, RunningServer, Script, Template, scripted_client

pytestmark = pytest.mark.windsock(framing="lines", allow_unused=True)


def command(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(b"(?i)^(" + pattern + b")")


# --- POP3: STLS, CAPA that depends on it, and one reply for each command

MAIL = b"Subject: wind\r\n\r\nNW\r\n.\r\n"
POP3 = {
    rb"USER guido\r": b"+OK",
    rb"USER": b"-ERR no such user",
    rb"PASS python\r": b"+OK 10 messages",
    rb"PASS": b"-ERR wrong password",
    rb"STAT": b"+OK 10 100",
    rb"(LIST|UIDL) (?P<n>\d+)": b"+OK %(n)s %(n)s",
    rb"LIST|UIDL": b"+OK\r\n1 1\r\n2 2\r\n.",
    rb"RETR|TOP": b"+OK %d bytes\r\n%b" % (len(MAIL), MAIL[:-2]),
    rb"DELE|NOOP|RPOP|APOP": b"+OK",
    rb"UTF8": b"-ERR what is UTF8",
}


@pytest.fixture
def pop3(serve: Serve) -> RunningServer:
    server = serve(tls="starttls")
    server.greet(b"+OK ready <timestamp>\r\n")
    for state, more in [("start", b"STLS\r\n"), ("tls", b"")]:
        server.on(b"CAPA", state=state).reply(b"+OK\r\nUIDL\r\n%b.\r\n" % more)
    server.on(b"STLS", state="start").play(Script().send(b"+OK begin\r\n").start_tls(), then="tls")
    server.on(b"QUIT").reply(b"+OK\r\n", end="close")
    for pattern, reply in POP3.items():
        server.on(command(pattern)).reply(Template(reply + b"\r\n"))
    server.on(re.compile(b"")).reply(b"-ERR unrecognized\r\n")
    return server


def test_mail_is_fetched_before_and_behind_tls(pop3: RunningServer) -> None:
    client = poplib.POP3(pop3.host, pop3.port, timeout=5)
    assert b"ready" in client.getwelcome()
    with pytest.raises(poplib.error_proto, match="no such user"):
        client.user("invalid")
    assert "STLS" in client.capa()
    client.stls(context=pop3.client_context())
    assert "STLS" not in client.capa()
    with pytest.raises(poplib.error_proto, match="unrecognized"):
        client.rset()
    client.user("guido")
    client.pass_("python")
    assert client.stat() == (10, 100)
    assert client.uidl("3") == b"+OK 3 3"
    assert client.top(1, 1)[1] == client.retr(1)[1] == [b"Subject: wind", b"", b"NW"]
    client.quit()


# --- IMAP4: a tag in each reply, a mailbox that is selected or not, and authentication that goes on


@pytest.fixture
def imap(serve: Serve) -> RunningServer:
    server = serve()
    server.greet(b"* OK IMAP4rev1\r\n")
    for command, reply, state, then in [
        (b"CAPABILITY", b"* CAPABILITY IMAP4rev1 AUTH ENABLE UTF8=ACCEPT\r\n%(tag)s OK done", None, None),
        (b"LOGOUT", b"* BYE\r\n%(tag)s OK done", None, None),
        (b"(LOGIN|ENABLE)", b"%(tag)s OK done", None, None),
        (b"SELECT", b"* 2 EXISTS\r\n%(tag)s OK [READ-WRITE]", None, "selected"),
        (b"UNSELECT", b"%(tag)s OK done", "selected", "start"),
        (b"UNSELECT", b"%(tag)s BAD no mailbox", "start", None),
    ]:
        server.on(tagged(command), state=state).reply(Template(reply + b"\r\n"), then=then)
    server.on(tagged(b"AUTHENTICATE")).play(
        Script().send(b"+\r\n").expect(until=b"\r\n").send(Template(b"%(tag)s OK done\r\n"))
    )
    server.on(tagged(b"")).reply(Template(b"%(tag)s BAD unknown\r\n"))
    return server


def tagged(command: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"^(?P<tag>\w+) " + command)


def test_a_mailbox_is_selected_and_left(imap: RunningServer) -> None:
    with imaplib.IMAP4(imap.host, imap.port, timeout=5) as client:
        client.authenticate("MYAUTH", lambda challenge: b"fake")
        client.enable("UTF8=ACCEPT")
        assert client.select() == ("OK", [b"2"])
        assert client.unselect()[0] == "OK"
        with pytest.raises(imaplib.IMAP4.error, match="unknown"):
            client.noop()
    assert b"ZmFrZQ==\r\n" in imap.connections[0].upstream


def test_an_authentication_is_refused(imap: RunningServer) -> None:
    refused = Script().send(b"+\r\n").expect(until=b"\r\n").send(Template(b"%(tag)s NO invalid\r\n"))
    imap.on(tagged(b"AUTHENTICATE"), first=True).play(refused)
    with imaplib.IMAP4(imap.host, imap.port, timeout=5) as client, pytest.raises(imaplib.IMAP4.error, match="invalid"):
        client.authenticate("MYAUTH", lambda challenge: b"fake")


# --- SMTP: users, lists, three ways to log in, and MAIL that a test refuses

PEOPLE = {b"a@example.com": b"John A", b"b@example.com": b"Sally B"}
PASSWORD = b"somepassword"
CHALLENGE = b"<1896.697170952@example.com>"
ANSWER = Script().expect(re.compile(rb"(?P<answer>\S*)\r\n"), until=b"\r\n")


@pytest.fixture
def smtp(serve: Serve) -> RunningServer:
    server = serve()
    server.greet(b"220 ready\r\n")
    server.on(command(b"EHLO")).reply(b"250-testhost\r\n250-AUTH CRAM-MD5 PLAIN LOGIN\r\n250 HELP\r\n")
    server.on(command(b"AUTH PLAIN (?P<answer>\\S+)")).reply_with(login)
    for name, questions in [
        (b"PLAIN", [b""]),
        (b"LOGIN \\S+", [b"Password:"]),
        (b"LOGIN", [b"Username:", b"Password:"]),
        (b"CRAM-MD5", [CHALLENGE]),
    ]:
        asked = [Script().send(b"334 %b\r\n" % base64.b64encode(each)) + ANSWER for each in questions]
        server.on(command(b"AUTH " + name)).play(sum(asked, Script()).send(login))
    server.on(command(b"AUTH BUGGY")).reply(b"334 QnVn\r\n", then="trapped")
    server.on(command(b"VRFY (?P<who>\\S+)")).reply_with(lambda match: person(match["who"]))
    server.on(command(b"EXPN people")).reply(b"250-John A <a@example.com>\r\n250 Sally B <b@example.com>\r\n")
    server.on(command(b"EXPN")).reply(b"550 no access\r\n")
    server.on(command(b"(MAIL|RCPT|RSET)")).reply(b"250 OK\r\n")
    server.on(command(b"DATA")).play(Script().send(b"354 go on\r\n").expect(until=b"\r\n.\r\n").send(b"250 OK\r\n"))
    server.on(command(b"QUIT")).reply(b"221 bye\r\n", end="close")
    server.on(command(b""), state="trapped").reply(b"334 QnVn\r\n")
    return server


def person(address: bytes) -> bytes:
    return b"250 %b <%b>\r\n" % (PEOPLE[address], address) if address in PEOPLE else b"550 no such user\r\n"


def login(match: Any) -> bytes:
    """Check the last answer: user and password, the password, or a digest of it."""
    answer = base64.b64decode(match["answer"])
    digest = hmac.new(PASSWORD, CHALLENGE, "md5").hexdigest().encode()
    return b"235 welcome\r\n" if answer.endswith((PASSWORD, digest)) else b"535 invalid\r\n"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_user_logs_in(smtp: RunningServer, mechanism: str) -> None:
    with smtplib.SMTP(smtp.host, smtp.port, timeout=5) as client:
        client.ehlo()
        client.esmtp_features["auth"] = mechanism  # what it tries
        assert client.login("a@example.com", PASSWORD.decode())[0] == 235
        assert client.vrfy("a@example.com") == (250, b"John A <a@example.com>")
        assert client.expn("people")[0] == 250
        client.sendmail("a@example.com", ["b@example.com"], "hello")
    assert b"hello\r\n.\r\n" in smtp.connections[0].upstream


def test_a_password_is_wrong(smtp: RunningServer) -> None:
    with (
        smtplib.SMTP(smtp.host, smtp.port, timeout=5) as client,
        pytest.raises(smtplib.SMTPAuthenticationError, match="invalid"),
    ):
        client.login("a@example.com", "wrong")


def test_a_client_that_is_asked_again_and_again_gives_up(smtp: RunningServer) -> None:
    with smtplib.SMTP(smtp.host, smtp.port, timeout=5) as client:
        with pytest.raises(smtplib.SMTPException, match="infinite loop"):
            client.auth("BUGGY", lambda challenge=None: "")
        client.close()


def test_a_connection_that_ends_behind_mail(smtp: RunningServer) -> None:
    smtp.on(command(b"MAIL"), first=True).reply(b"421 closing\r\n", end="close")
    with smtplib.SMTP(smtp.host, smtp.port, timeout=5) as client, pytest.raises(smtplib.SMTPSenderRefused):
        client.sendmail("a@example.com", ["b@example.com"], "hello")


# --- FTP: active and passive connections for data, in both directions

DATA = {
    b"RETR": b"abcde12345\r\n" * 1000,
    b"LIST": b"foo\r\nbar\r\n",
    b"NLST": b"foo\r\nbar\r\n",
    b"MLSD": b"type=file; foo\r\n",
}
ACTIVE = re.compile(rb"^(PORT [\d,]+,(?P<high>\d+),(?P<low>\d+)|EPRT \|.\|.*\|(?P<port>\d+)\|)\r")
COMMANDS = {
    b"USER": b"331 username",
    b"RNFR": b"350 rnfr",
    b"MKD (?P<path>\\S+)": b'257 "%(path)s"',
    b"PWD": b'257 "pwd"',
    b"SIZE": b"213 1000",
    b"PASS|ACCT": b"230 welcome",
    b"RNTO|DELE|CWD|RMD": b"250 done",
    b"NOOP|TYPE|OPTS": b"200 fine",
    b"ABOR": b"226 aborted",
}


@pytest.fixture(params=["127.0.0.1", "::1"])
def ftp(serve: Serve, request: pytest.FixtureRequest) -> RunningServer:
    data, server = serve(host=request.param, accept=True), serve(host=request.param)

    def transfer(match: Any, conversation: Conversation) -> Iterator[bytes]:
        yield b"125 begins\r\n"
        port = conversation.kept.pop("port", None)
        with scripted_client((request.param, port)) if port else data.accept() as peer:
            if match[0] == b"STOR":
                peer.expect_eof(discard=True)
            else:
                peer.send(DATA[match[0]][conversation.kept.pop("rest", 0) :])
        yield b"226 complete\r\n"

    def port(match: Any, conversation: Conversation) -> bytes:
        conversation.kept["port"] = int(match["port"] or int(match["high"]) * 256 + int(match["low"]))
        return b"200 active\r\n"

    def rest(match: Any, conversation: Conversation) -> bytes:
        conversation.kept["rest"] = int(match["offset"])
        return b"350 rest\r\n"

    server.greet(b"220 welcome\r\n")
    server.on(ACTIVE).reply_with(port)
    server.on(re.compile(rb"^REST (?P<offset>\d+)")).reply_with(rest)
    server.on(b"PASV").reply(b"227 (127,0,0,1,%d,%d)\r\n" % divmod(data.port, 256))
    server.on(b"EPSV").reply(b"229 (|||%d|)\r\n" % data.port)
    server.on(re.compile(b"^(RETR|LIST|NLST|MLSD|STOR)")).reply_with(transfer)
    for pattern, reply in COMMANDS.items():
        server.on(command(pattern)).reply(Template(reply + b"\r\n"))
    server.on(b"QUIT").reply(b"221 bye\r\n", end="close")
    server.on(re.compile(b"")).reply(b"550 not understood\r\n")
    return server


@pytest.mark.parametrize("passive", [True, False])
def test_files_go_both_ways(ftp: RunningServer, passive: bool) -> None:
    received = bytearray()
    with ftplib.FTP(timeout=5) as client:
        client.connect(ftp.host, ftp.port)
        client.login("anna", "secret")
        client.set_pasv(passive)
        client.retrbinary("RETR wind", received.extend, rest=5)
        client.storbinary("STOR wind", io.BytesIO(b"NW"))
        assert client.nlst() == ["foo", "bar"]
        assert client.mkd("/foo") == "/foo"
        with pytest.raises(ftplib.error_perm, match="not understood"):
            client.sendcmd("WHAT")
    assert received == DATA[b"RETR"][5:]
