"""Secrets in the traffic of failing tests: in no report and no file, while the tests themselves see them."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

import pytest

from tests.plugin.conftest import Run
from tests.redaction.forms import FORMS, SECRET
from windsock import redaction

SENDING = """
import os, socket
from socketserver import BaseRequestHandler
import pytest
from tests.redaction.forms import FORMS
from windsock import Script

SECRET = os.environ["SOMETHING"].encode()

class ByteByByte(BaseRequestHandler):
    def handle(self):
        while self.request.recv(1):
            pass

def send(server, message, address=None):
    tls = server.client_context() if server.options.encryption else None
    with socket.create_connection(address or server.address, timeout=10) as client:
        if tls is not None:
            client = tls.wrap_socket(client, server_hostname="localhost")
        client.sendall(message)
        client.close()

ways = pytest.mark.parametrize("way", ["direct", "relayed", "proxied", "tls"])

def serve_that(serve, way, handler=None, **options):
    return serve(handler, relay=way == "relayed", tls=way == "tls" or None, **options)
"""
MATRIX = (
    SENDING
    + """
@ways
@pytest.mark.parametrize("form", FORMS)
def test_of_what_was_recorded(serve, fault_proxy, way, form):
    server = serve_that(serve, way, ByteByByte)
    address = fault_proxy(server.address).address if way == "proxied" else None
    message = FORMS[form] % SECRET
    send(server, message, address)
    server.connections.wait(1)
    received = server.requests.only().data
    assert SECRET in received and server.connections[0].as_script().steps[0].data == message
    assert received == b"nothing of that kind"

@ways
@pytest.mark.parametrize("form", FORMS)
def test_of_a_rule(serve, fault_proxy, way, form):
    server = serve_that(serve, way, framing="eof")
    address = fault_proxy(server.address).address if way == "proxied" else None
    message = FORMS[form] % SECRET
    server.on(message[:-3]).reply(b"x")
    send(server, message, address)
    server.connections.wait(1)

@pytest.mark.parametrize("form", FORMS)
def test_of_a_script(tcp_server, form):
    message = FORMS[form]
    tcp_server.play(Script().expect(message[:message.index(b"%")]).expect(b"something else"))
    send(tcp_server, message % SECRET)
    tcp_server.connections.wait(1)

def test_of_a_handler(serve):
    def handler(request, client_address, server):
        raise ValueError(f"no user with {request.recv(100)!r}")

    server = serve(handler)
    send(server, b"PASS " + SECRET + b"\\r\\n")
    server.connections.wait(1)
"""
)


def everything_in(directory: Path) -> dict[str, bytes]:
    """Return what is in all files below a directory, of pages also the data within."""
    found = {str(each): each.read_bytes() for each in directory.rglob("*") if each.is_file()}
    for name in [each for each in found if each.endswith(".html")]:
        data = re.findall(rb'"([A-Za-z0-9+/=]{4,})"', found[name])
        found[f"{name} decoded"] = b"".join(base64.b64decode(each) for each in data if len(each) % 4 == 0)
    return found


@pytest.mark.parametrize("way", ["direct", "relayed", "proxied", "tls"])
def test_a_secret_is_in_no_report_and_no_file_however_it_came(
    run_apart: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("SOMETHING", SECRET.decode())
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)

    result = run_apart(
        MATRIX,
        f"--windsock-artifacts={tmp_path}/out",
        f"--junitxml={tmp_path}/junit.xml",
        "--showlocals",
        f"--rootdir={tmp_path}",
        *("-k", way if way != "direct" else "direct or script or handler"),
    )

    count = len(FORMS)
    result.assert_outcomes(failed=2 * count + (count + 1 if way == "direct" else 0))
    printed = result.stdout.str() + result.stderr.str()
    failed_at = [line[1:].strip() for line in printed.splitlines() if line[:1] == ">"]
    assert failed_at == ['assert received == b"nothing of that kind"'] * count
    assert SECRET.decode() not in printed
    files = everything_in(tmp_path)
    assert len(files) > 8 * count
    assert [name for name, content in files.items() if SECRET in content] == []
    assert sum(b"Authorization: [redacted 15 B]" in content for content in files.values()) > 3


@pytest.mark.parametrize("how", ["--tb=native", "--tb=short", "--tb=line", "-n2"])
def test_a_secret_is_in_no_report_however_it_is_shown(
    run_apart: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("SOMETHING", SECRET.decode())
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)

    result = run_apart(MATRIX, "-k", "pop3 or handler", how)

    result.assert_outcomes(failed=4 * 2 + 4 * 2 + 2 + 1)
    assert SECRET.decode() not in result.stdout.str() + result.stderr.str()


SIMPLE = """
import socket
def test_it(tcp_server):
    with socket.create_connection(tcp_server.address) as client:
        client.sendall(b"id %s" % (b"alpha" + b"beta"))
    tcp_server.connections.wait(1)
    assert False
"""


def test_what_the_ini_file_says_is_secret_is_masked_and_nothing_else_if_it_says_so(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nwindsock_redact =\n    id (\\w)\n    be\n")
    by_pattern = run(SIMPLE)
    pytester.makeini("[pytest]\nwindsock_redact_defaults = false\n")
    shown = run(SIMPLE.replace("id %s", "PASS %s"))
    pytester.makeini("[pytest]\n")
    by_default = run(SIMPLE.replace("id %s", "PASS %s"))

    by_pattern.stdout.fnmatch_lines(["*#0 > 12 B b'id [*]lpha[*][*]ta'"])
    shown.stdout.fnmatch_lines(["*#0 > 14 B b'PASS alphabeta'"])
    by_default.stdout.fnmatch_lines(["*#0 > 14 B b'PASS [*][*][*][*][*][*][*][*][*]'"])
    assert redaction.text("PASS alpha") == "PASS *****"


def test_an_expression_of_the_ini_file_that_does_not_compile_is_an_error_before_the_first_test(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nwindsock_redact = (\n")

    result = run(SIMPLE)

    result.stderr.fnmatch_lines(
        ["ERROR: windsock_redact: '(': expected a regular expression; missing ), unterminated subpattern at position 0"]
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_the_marker_says_what_is_secret_in_a_test(run: Run) -> None:
    result = run(
        f"import pytest\n@pytest.mark.windsock(redact=b'alpha'){SIMPLE.replace('import socket', '')}import socket"
    )

    result.stdout.fnmatch_lines(["*#0 > 12 B b'id [*][*][*][*][*]beta'"])


def test_a_marker_that_cannot_work_is_an_error_before_the_first_test(run: Run) -> None:
    result = run(
        f"import pytest\n@pytest.mark.windsock(redact='alpha'){SIMPLE.replace('import socket', '')}import socket"
    )

    result.stderr.fnmatch_lines(["ERROR: *::test_it: @pytest.mark.windsock: redact=<str>: expected bytes, *"])


def test_a_function_that_fails_while_a_report_is_made_has_the_text_withheld(run: Run, tmp_path: Path) -> None:
    code = """
import pytest, socket

def late(data):
    if data:
        raise KeyError(data)
    return data

@pytest.mark.windsock(redact=late)
def test_it(tcp_server):
    with socket.create_connection(tcp_server.address) as client:
        client.sendall(b"alphabeta" * 10)
    tcp_server.connections.wait(1)
    assert tcp_server.requests.only().data == b""
"""
    result = run(code, f"--windsock-artifacts={tmp_path}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E(withheld: redact=late raised KeyError)"])
    assert "INTERNALERROR" not in result.stdout.str()
    assert "alphabetaalpha" not in result.stdout.str()
    assert [name for name, content in everything_in(tmp_path).items() if b"alphabetaalpha" in content] == []
    (events,) = tmp_path.rglob("events.jsonl")
    (data,) = [each for line in events.read_text().splitlines() if (each := json.loads(line))["kind"] == "data"]
    assert data["text"] == "[withheld: redact=late raised KeyError]".ljust(90, "*")


def test_a_passing_test_does_not_look_for_secrets(run_apart: Run) -> None:
    result = run_apart(
        """
        import sys

        def test_it(tcp_server):
            tcp_server.on(b"PASS x").reply(b"PASS y")
            with tcp_server.connect() as client:
                client.send(b"PASS x").expect(b"PASS y")
            assert tcp_server.requests.only().data == b"PASS x"

        def test_after_it():
            assert "windsock.redaction.defaults" not in sys.modules
        """
    )

    result.assert_outcomes(passed=2)


def test_what_a_test_fails_with_is_masked_also_without_a_traceback(run: Run) -> None:
    result = run(
        """
        import pytest, socket

        def test_it(tcp_server):
            secret = "hunt7" + "zqXw"
            with socket.create_connection(tcp_server.address) as client:
                client.sendall(f"GET / HTTP/1.1\\r\\nCookie: a=b; sid={secret}\\r\\n\\r\\n".encode())
            tcp_server.connections.wait(1)
            pytest.fail(f"no session\\n{secret}: unknown", pytrace=False)
        """
    )

    result.stdout.fnmatch_lines(["no session", "[*][*][*][*][*][*][*][*][*]: unknown"])
    assert "hunt7zqXw" not in result.stdout.str()


def test_a_secret_in_the_name_of_a_server_is_in_no_file(run: Run, tmp_path: Path) -> None:
    result = run(
        """
        import socket

        def test_it(serve, fault_proxy):
            secret = "hunt7" + "zqXw"
            server = serve(name=f"db password={secret}")
            proxy = fault_proxy(server.address, name=f"token={secret}")
            with socket.create_connection(proxy.address) as client:
                client.sendall(f"PASS {secret}\\r\\n".encode())
            server.connections.wait(1)
            assert False
        """,
        f"--windsock-artifacts={tmp_path}/out",
    )

    result.assert_outcomes(failed=1)
    files = everything_in(tmp_path / "out")
    assert {name.rpartition("/")[2] for name in files} > {"traffic.html", "transcript.txt", "events.jsonl"}
    assert [name for name, content in files.items() if b"hunt7zqXw" in content] == []
    assert "hunt7zqXw" not in result.stdout.str()
