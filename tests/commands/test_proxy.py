"""`windsock proxy`: in front of any server, with faults, and with TLS on either side."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.helpers import running
from windsock import scripted_client, serving
from windsock.security import pem_files


@pytest.fixture(autouse=True)
def no_files_are_left() -> Iterator[None]:
    yield
    pem_files.remove()  # as at the end of the process


def test_a_proxy_carries_and_shows_what_passes() -> None:
    with serving(framing="lines") as server:
        server.echo()
        with running("proxy", server.shown_address) as command:
            assert command.lines[1] == f"target: {server.shown_address}"
            with scripted_client(command.address) as client:
                client.send(b"hello\n").expect(b"hello\n")
            command.wait_for("ended: client EOF")

    assert command.code == 0
    assert [line for line in command.lines if " B b'" in line] == [
        r"#0 > 6 B b'hello\n'",
        r"#0 < 6 B b'hello\n'",
    ]


def test_a_fault_strikes_the_first_connection_alone() -> None:
    with serving(framing="lines") as server:
        server.echo()
        with running("proxy", server.shown_address, "--fault", "fail_first(1)") as command:
            with scripted_client(command.address) as client:
                client.expect_reset()
            with scripted_client(command.address) as client:
                client.send(b"hello\n").expect(b"hello\n")
            command.wait_for("#1 ended: client EOF")

    assert command.code == 0
    assert any("~ fault: Reset" in line for line in command.lines if line.startswith("#0"))


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)])
def test_strict_makes_an_unfired_fault_a_failure(options: list[str], code: int) -> None:
    with serving() as server, running("proxy", server.shown_address, "--fault", "Delay(0.1)", *options) as command:
        pass

    assert command.code == code
    assert len([line for line in command.lines if line.startswith("problem: FaultNeverFired: ")]) == code


def test_datagrams_are_carried() -> None:
    with serving(transport="udp") as server:
        server.echo()
        with running("proxy", server.shown_address, "--udp") as command:
            with scripted_client(command.address, transport="udp") as client:
                client.send(b"hello").expect(b"hello")
            command.wait_for("#0 < 5 B b'hello'")

    assert command.lines[-1] == "stopped after 1 datagram"


def test_a_unix_socket_is_served_at_a_path_of_choice(tmp_path: Path) -> None:
    path = str(tmp_path / "edge.sock")
    with serving(transport="unix_stream", framing="lines") as server:
        server.echo()
        with running("proxy", server.path, "--listen", path) as command, scripted_client(path) as client:
            assert command.address == path
            client.send(b"hello\n").expect(b"hello\n")


def test_tls_ends_at_the_proxy_which_shows_what_was_said() -> None:
    with serving(tls=True, framing="lines") as server:
        server.echo()
        options = ["--tls", "--upstream-tls", "--upstream-ca", server.ca_file, "--server-name", "localhost"]
        with running("proxy", server.shown_address, *options) as command:
            context = ssl.create_default_context(cafile=server.ca_file)
            with (
                socket.create_connection(command.address, timeout=10) as connection,
                context.wrap_socket(connection, server_hostname="localhost") as client,
            ):
                client.sendall(b"hello\n")
                assert client.recv(6) == b"hello\n"
            command.wait_for(r"#0 < 6 B b'hello\n'")


def test_a_password_is_masked() -> None:
    with serving(framing="lines") as server:
        server.echo()
        with running("proxy", server.shown_address, "--json") as command:
            with scripted_client(command.address) as client:
                client.send(b"PASS open.sesame\n").expect(b"PASS open.sesame\n")
            command.wait_for('"end"')

    assert [each["text"] for each in command.objects if each["kind"] == "data"] == ["PASS [redacted]*\n"] * 2
    assert "sesame" not in command.stream.getvalue()


def test_connections_side_by_side_are_shown_in_the_order_of_time() -> None:
    with serving(framing="lines") as server:
        server.echo()
        with (
            running("proxy", server.shown_address, "--json") as command,
            scripted_client(command.address) as one,
            scripted_client(command.address) as other,
        ):
            for number in range(20):
                (one, other)[number % 2].send(b"%d\n" % number).expect(b"%d\n" % number)
            command.wait_for('"19\\n"')

    sent = [each for each in command.objects if each["kind"] == "data" and each["direction"] == "upstream"]
    assert [each["text"] for each in sent] == [f"{number}\n" for number in range(20)]
    assert [each["connection"] for each in sent] == [0, 1] * 10
