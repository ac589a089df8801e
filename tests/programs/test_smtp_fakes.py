"""swaks and msmtp send mails to a session, with AUTH and STARTTLS."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.conftest import program, run
from windsock import RunningServer, serving
from windsock.protocols import smtp

ENVELOPE = ("ann@example.com", ("bob@example.com",))
TEXT = "Subject: The wind\n\nNorthwest\n.five knots\n"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with serving(framing="smtp", tls="starttls") as server:
        yield server


@pytest.mark.parametrize("options", [["--tls", "--auth", "PLAIN"], ["--auth", "LOGIN"], ["--pipeline"]])
def test_swaks_sends_a_mail(server: RunningServer, options: list[str]) -> None:
    program("perl")
    has_auth = "--auth" in options
    session = smtp.session(server, users={"me": "secret"} if has_auth else None)
    login = ["--auth-user", "me", "--auth-password", "secret"] if has_auth else []
    where = ["--server", server.host, "--port", str(server.port), "--from", ENVELOPE[0], "--to", ENVELOPE[1][0]]

    ended = run(program("swaks"), *where, *options, *login, "--header", "Subject: The wind", "--body", "a\\n.b\\n..c")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    (mail,) = session.mails
    assert (mail.sender, mail.recipients, mail.is_encrypted) == (*ENVELOPE, "--tls" in options)
    assert (mail.message["Subject"], mail.user) == ("The wind", "me" if has_auth else "")
    assert "a\n.b\n..c\n" in mail.message.get_content()


def test_msmtp_sends_a_mail(server: RunningServer, tmp_path: Path) -> None:
    server.ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    session = smtp.session(server, users={"me": "secret"}, starttls="required")
    command = [
        program("msmtp"),
        "--file=/dev/null",
        "--host=localhost",
        f"--port={server.port}",
        f"--from={ENVELOPE[0]}",
    ]
    command += ["--tls=on", "--tls-starttls=on", f"--tls-trust-file={tmp_path / 'ca.pem'}", "--auth=plain", "--user=me"]
    command += ["--passwordeval=echo secret", *ENVELOPE[1]]

    ended = subprocess.run(command, input=TEXT, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 0, ended.stderr
    (mail,) = session.mails
    assert (mail.sender, mail.recipients, mail.user, mail.is_encrypted) == (*ENVELOPE, "me", True)
    assert mail.message.get_content() == "Northwest\n.five knots\n"
