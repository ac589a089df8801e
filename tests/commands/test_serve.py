"""`windsock serve`: fakes from options and from files, with clients over real sockets."""

from __future__ import annotations

import socket
import ssl
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.helpers import running
from windsock import scripted_client
from windsock.commands.main import run
from windsock.security import pem_files


def fake_file(directory: Path, text: str) -> str:
    path = directory / "fake.py"
    path.write_text(textwrap.dedent(text))
    return str(path)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    pem_files.remove()  # as at the end of the process


def test_a_fake_answers_by_options_and_shows_what_comes_and_goes() -> None:
    with running("serve", "--on", r"PING\r\n", r"+PONG\r\n", "--framing", "lines", "--reply", "?") as command:
        with scripted_client(command.address) as client:
            client.send(b"PING\r\n").expect(b"+PONG\r\n").send(b"WHAT\r\n").expect(b"?")
        command.wait_for("ended: client EOF")

    assert command.code == 0
    assert [line for line in command.lines if line.startswith("#0 ") and "from" not in line] == [
        r"#0 > 6 B b'PING\r\n'",
        r"#0 < 7 B b'+PONG\r\n'",
        r"#0 > 6 B b'WHAT\r\n'",
        "#0 < 1 B b'?'",
        "#0 client EOF",
        "#0 server half-close",
        "#0 ended: client EOF",
    ]
    assert command.lines[-1] == "stopped after 1 connection"


def test_json_lines_say_where_it_listens_and_what_passed() -> None:
    with running("serve", "--udp", "--echo", "--json") as command:
        listening = command.objects[0]
        with scripted_client((listening["host"], listening["port"]), transport="udp") as client:
            client.send(b"\xff").expect(b"\xff")
        command.wait_for('"end"')

    assert [each["kind"] for each in command.objects] == [
        "listening",
        "open",
        "data",
        "data",
        "close",
        "end",
        "stopped",
    ]
    assert [each["base64"] for each in command.objects if each["kind"] == "data"] == ["/w==", "/w=="]
    assert command.objects[-1]["connections"] == 1


def test_a_python_file_has_rules_and_options_and_imports_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "answers_beside.py").write_text("PONG = b'pong\\n'\n")
    path = fake_file(
        tmp_path,
        """
        import answers_beside

        options = {"framing": "lines"}


        def rules(server):
            server.on(b"ping\\n").reply(answers_beside.PONG)
        """,
    )

    with running("serve", path) as command, scripted_client(command.address) as client:
        client.send(b"ping\n").expect(b"pong\n")


def test_a_protocol_with_ready_rules_answers_by_itself() -> None:
    with running("serve", "--protocol", "redis", "--on", r"PING\r\n", r"\-BUSY\r\n") as command:
        with scripted_client(command.address) as client:
            client.send(b"PING\r\n").expect(b"-BUSY\r\n").send(b"SET wind NW\r\n").expect(b"+OK\r\n")
            client.send(b"GET wind\r\n").expect(b"$2\r\nNW\r\n")
        command.wait_for("> 10 B GET wind")


def test_a_unix_socket_at_a_path_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"

    with running("serve", "--unix", str(path), "--greet", r"220 hi\r\n") as command:
        with scripted_client(str(path)) as client:
            client.expect(b"220 hi\r\n")
        assert command.lines[0] == f"listening on {path}"

    assert not path.exists()


def test_a_client_trusts_the_authority_that_is_named() -> None:
    with running("serve", "--tls", "--echo") as command:
        command.wait_for("certificate authority: ")
        authority = command.lines[1].removeprefix("certificate authority: ")
        context = ssl.create_default_context(cafile=authority)
        with (
            socket.create_connection(command.address, timeout=10) as connection,
            context.wrap_socket(connection, server_hostname="localhost") as client,
        ):
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        command.wait_for("> 5 B b'hello'")


def test_a_secret_is_masked_also_when_it_comes_in_two_looks() -> None:
    with (
        running("serve", "--framing", "lines", "--reply", "ok", "--redact", r"ticket=(\w+)") as command,
        scripted_client(command.address) as client,
    ):
        client.send(b"go ticket=123")
        command.wait_for("> 13 B")
        client.send(b"456\n").expect(b"ok")
        command.wait_for("> 4 B")

    assert "#0 > 13 B b'go ticket=***'" in command.lines
    assert r"#0 > 4 B b'***\n'" in command.lines


def test_a_fault_acts_and_is_shown() -> None:
    with running("serve", "--echo", "--fault", "Reset(after_bytes=2), direction='downstream'") as command:
        with scripted_client(command.address) as client:
            client.send(b"abcd").expect(b"ab").expect_reset()
        command.wait_for("~ fault: Reset(2) downstream at byte 2")


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)])
def test_strict_makes_an_unmet_expectation_a_failure(options: list[str], code: int) -> None:
    with running("serve", "--on", "HELLO", "hi", *options) as command:
        pass

    assert command.code == code
    problems = [line for line in command.lines if line.startswith("problem: ")]
    assert len(problems) == code
    assert not problems or "HELLO" in problems[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("", "defines no rules"),
        ("options = 1", "options=1: expected a dict"),
        ("def rules(server):\n    server.onn(b'A')", ", line 2, in rules"),
        ("def rules(server:", "SyntaxError"),
        ("options = {'framing': 'linse'}", "known protocols are"),
        ("options = {'fram': 1}", "unexpected keyword argument 'fram'"),
    ],
)
def test_an_error_of_the_file_is_told_with_its_place(
    text: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "missing.py") if text is None else fake_file(tmp_path, text)

    with running("serve", path) as command:
        pass

    assert command.code == 2
    error = capsys.readouterr().err
    assert error.startswith("windsock serve: error: ")
    assert said in error
    assert "runpy" not in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--host", "0.0.0.0"], "or pass --allow-external"),
        (["serve", "--port", "70000"], "expected 0 (any free port) to 65535"),
        (["serve", "--protocol", "rediss"], "did you mean 'redis'"),
        (["serve", "--udp", "--tls"], "TLS is for streams"),
        (["serve", "--unix", "x.sock", "--port", "1"], "--host and --port are not for --unix; it takes --unix"),
        (["proxy", "127.0.0.1:1", "--server-name", "a"], "--server-name a: whom --upstream-tls is to expect"),
        (["proxy", "127.0.0.1:1", "--upstream-tls", "--upstream-ca", "/no/such"], "expected a PEM file"),
        (["proxy", "127.0.0.1:1", "--fault", "ForkError()"], "a proxy handles nothing"),
        (["serve", "--certificate", "expired"], "--certificate expired is for servers with TLS; pass --tls as well"),
        (["serve", "--framing", "linez"], "--framing linez: known protocols are"),
        (["serve", "--protocol", "redis9"], "others are --framing with lines, eof, any or a size, and --delimiter"),
        (["proxy", ":1", "--listen", "0.0.0.0:0"], "--listen 0.0.0.0:0 can be reached from other machines"),
        (["proxy", "no-such-host.invalid:1"], "can't be found"),
    ],
)
def test_a_value_that_cannot_work_is_told_and_the_code_is_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(*words) as command:
        pass

    assert command.code == 2
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        running("serve", "--port", str(taken.getsockname()[1])) as command,
    ):
        pass

    assert command.code == 2
    assert "already in use; leave the port or path out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: COMMAND"),
        (["serv"], "invalid choice: 'serv'"),
        (["serve", "--on", r"a\q", "b"], "column 2: expected one of"),
        (["proxy"], "required: TARGET"),
        (["proxy", "80"], "expected HOST:PORT"),
        (["serve", "--echo", "--reply", "a"], "not allowed with argument"),
    ],
)
def test_a_wrong_command_line_is_told_and_the_code_is_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(words, sys.stdout, threading.Event())

    assert ended.value.code == 2
    assert said in capsys.readouterr().err
