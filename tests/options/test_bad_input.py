"""What cannot work is said at once, in our words, with the way out; and nothing is left of the attempt."""

from __future__ import annotations

import socket
import socketserver
import threading
from pathlib import Path
from typing import Any

import pytest

import windsock
from windsock import servers
from windsock.harness import Options
from windsock.net import system

HINT = (
    "expected a class derived from windsock.servers.BaseRequestHandler, or a function of three arguments "
    "(request, client_address, server)"
)


def two_arguments(request: Any, client_address: Any) -> None:
    """No handler."""


CASES: list[tuple[dict[str, Any], str]] = [
    ({"handler": 42}, f"handler=42 is no request handler; {HINT}"),
    ({"handler": servers.TCPServer}, "handler=TCPServer is a server class; pass it first, and its handler second"),
    (
        {"handler": two_arguments},
        "handler=two_arguments can't be called with (request, client_address, server); "
        "expected a class derived from windsock.servers.BaseRequestHandler, or a function of three arguments",
    ),
    (
        {"handler": dict},
        "handler=dict can't be called with (request, client_address, server); "
        "expected a class derived from windsock.servers.BaseRequestHandler, or a function of three arguments",
    ),
    (
        {"handler": servers.StreamRequestHandler, "transport": "udp"},
        "handler=StreamRequestHandler reads a stream, and transport='udp' carries datagrams; derive it from "
        "DatagramRequestHandler, or choose another transport",
    ),
    (
        {"handler": socketserver.StreamRequestHandler, "transport": "unix_datagram"},
        "handler=StreamRequestHandler reads a stream, and transport='unix_datagram' carries datagrams; derive it from "
        "DatagramRequestHandler, or choose another transport",
    ),
    (
        {"handler": servers.DatagramRequestHandler},
        "handler=DatagramRequestHandler reads datagrams, and transport='tcp' carries none; use 'udp'",
    ),
    (
        {"handler": socketserver.DatagramRequestHandler, "transport": "unix_stream"},
        "handler=DatagramRequestHandler reads datagrams, and transport='unix_stream' carries none; use 'udp'",
    ),
    ({"mixins": 7}, "mixins=7: expected a list of classes"),
    ({"mixins": [int]}, "mixins=[<class 'int'>]: expected classes, such as windsock.security.TLSMixIn"),
    (
        {"mixins": [servers.ThreadingTCPServer]},
        "mixins=[ThreadingTCPServer]: it is a server class; expected mix-ins, which have no socket",
    ),
    (
        {"mixins": [object], "server_class": servers.TCPServer},
        "mixins= and TCPServer don't go together; pass a class derived from the mix-ins and TCPServer",
    ),
    (
        {"transport": "sctp"},
        "transport='sctp': expected one of 'tcp', 'udp', 'unix_stream', 'unix_datagram', 'unix_seqpacket'",
    ),
    (
        {"concurrency": "fibers"},
        "concurrency='fibers': expected one of 'sync', 'threading', 'forking', 'selecting', 'trio'",
    ),
    (
        {"host": "0.0.0.0"},
        "host='0.0.0.0' can be reached from other machines; use '127.0.0.1' or '::1', or pass allow_external=True",
    ),
    ({"host": ""}, "host='' can be reached from other machines; use '127.0.0.1' or '::1', or pass allow_external=True"),
    ({"port": 70000}, "port=70000: expected 0 (any free port) to 65535"),
    ({"port": -1}, "port=-1: expected 0 (any free port) to 65535"),
    ({"port": "80"}, "port='80': expected a whole number"),
    ({"port": True}, "port=True: expected a whole number"),
    ({"host": b"127.0.0.1"}, "host=b'127.0.0.1': expected text or None"),
    ({"backlog": -1}, "backlog=-1: expected 0 or more connections"),
    ({"timeout": 0}, "timeout=0: expected seconds, more than 0"),
    ({"timeout": float("nan")}, "timeout=nan: expected seconds, more than 0"),
    ({"timeout": float("inf")}, "timeout=inf: expected seconds, more than 0"),
    ({"timeout": None}, "timeout=None: expected seconds, more than 0"),
    ({"strict": "no"}, "strict='no': expected True or False"),
    (
        {"transport": "unix_stream", "path": "/tmp/" + "x" * 103},
        f"path '/tmp/{'x' * 103}' has 108 bytes; a Unix socket's path has at most 107. "
        "Leave path= out to get a short private one, or use a shorter directory",
    ),
    (
        {"transport": "unix_stream", "path": ""},
        "path='': a Unix socket needs a path, or an abstract name that starts with '\\0'",
    ),
    ({"transport": "unix_stream", "path": 3}, "path=3: expected text or a path or None"),
    (
        {"transport": "unix_datagram", "port": 5000},
        "host= and port= are not for transport='unix_datagram'; it takes path=",
    ),
    ({"path": "/tmp/x"}, "path='/tmp/x' is not for transport='tcp'; it takes host= and port="),
    (
        {"server_class": servers.UDPServer, "transport": "tcp"},
        "transport='tcp': UDPServer is 'udp'; leave transport= out, or choose another class",
    ),
    (
        {"server_class": servers.ThreadingTCPServer, "concurrency": "sync"},
        "concurrency='sync': ThreadingTCPServer is 'threading'; leave concurrency= out, or choose another class",
    ),
    (
        {"server_class": "TCPServer"},
        "'TCPServer' is no server class; expected a class such as windsock.servers.TCPServer",
    ),
    (
        {"server_class": dict},
        "dict is no server class: it has no serve_forever, get_request, process_request, finish_request, "
        "service_actions, server_close; expected a class that speaks the protocol of socketserver, "
        "such as one of windsock.servers",
    ),
    (
        {"framing": "paragraphs"},
        "framing='paragraphs': known protocols are 'dns' (pip install pytest-windsock[dns]), 'http', 'mqtt', "
        "'postgresql', 'redis', 'rpc', 'smtp', 'websocket'; others are 'lines', 'eof', a delimiter (bytes), a size "
        "(int), LengthPrefix(size=4, byteorder='big'), 'any', a protocol or its name, or a function from bytes to the "
        "size of the first message or None",
    ),
    ({"framing": b""}, "Delimiter(b''): a delimiter has at least one byte; use UntilEof() for none at all"),
    ({"framing": 0}, "FixedSize(0): a message has at least 1 byte"),
    (
        {"framing": True},
        "framing=True: expected 'lines', 'eof', a delimiter (bytes), a size (int), "
        "LengthPrefix(size=4, byteorder='big'), 'any', a protocol or its name, "
        "or a function from bytes to the size of the first message or None",
    ),
]


@pytest.mark.parametrize(("options", "message"), CASES, ids=[str(options)[:40] for options, _ in CASES])
def test_a_value_that_cannot_work_is_named_with_the_way_out(options: dict[str, Any], message: str) -> None:
    with pytest.raises(windsock.UsageError) as caught:
        Options(**options).resolved()

    assert str(caught.value) == message


@pytest.mark.parametrize(("options", "message"), CASES[:8], ids=[str(options)[:40] for options, _ in CASES[:8]])
def test_serving_says_the_same(options: dict[str, Any], message: str) -> None:
    options = dict(options)
    what = [options.pop("handler")] if "handler" in options else []
    if what == [servers.TCPServer]:
        what.insert(0, servers.TCPServer)

    with pytest.raises(windsock.UsageError) as caught:
        windsock.serving(*what, **options)

    assert str(caught.value) == message


def test_an_external_address_may_be_asked_for() -> None:
    with windsock.serving(host="0.0.0.0", allow_external=True) as server:
        assert server.host == "0.0.0.0"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1"])
def test_every_loopback_host_will_do(host: str) -> None:
    with windsock.serving(host=host) as server:
        socket.create_connection(server.address, 5).close()


def test_a_path_in_a_directory_that_does_not_exist_is_a_start_error(tmp_path: Path) -> None:
    with pytest.raises(windsock.StartError) as caught:
        windsock.serving(transport="unix_stream", path=tmp_path / "no" / "s")

    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")

    with pytest.raises(windsock.StartError, match="Address already in use"):
        windsock.serving(transport="unix_stream", path=tmp_path / "notes")

    assert (tmp_path / "notes").read_text() == "mine"


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
def test_a_thread_that_cannot_start_leaves_no_server(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)

    with pytest.raises(RuntimeError, match="can't start new thread"):
        windsock.serving(transport=transport)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("fork", "which this platform does not have"), ("waitid", "which Python on macOS has from 3.13 on")],
)
def test_a_platform_without_children_is_told_apart(name: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(system.os, name)

    with pytest.raises(windsock.Unsupported) as caught:
        windsock.serving(concurrency="forking")

    assert str(caught.value) == f"concurrency='forking' needs os.{name}(), {reason}"


@pytest.mark.parametrize("transport", ["unix_stream", "unix_datagram"])
def test_a_platform_without_unix_sockets_is_told_apart(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(system.socket, "AF_UNIX")

    with pytest.raises(windsock.Unsupported) as caught:
        windsock.serving(transport=transport)

    assert str(caught.value) == f"transport='{transport}' needs AF_UNIX sockets, which this platform does not have"


@pytest.mark.parametrize("value", [-1, -0.001, float("nan"), float("inf"), "5"])
def test_a_wait_has_a_deadline_that_can_come(value: Any) -> None:
    with windsock.serving() as server:
        for wait in (server.requests.wait, server.requests.only):
            with pytest.raises(windsock.UsageError) as caught:
                wait(timeout=value)
            assert str(caught.value) == f"timeout={value!r}: expected seconds, 0 or more"
        with pytest.raises(windsock.UsageError) as caught:
            server.requests.none(settle=value)
        assert str(caught.value) == f"settle={value!r}: expected seconds, 0 or more"


def test_a_wait_for_a_negative_number_is_a_usage_error() -> None:
    with windsock.serving() as server:
        with pytest.raises(windsock.UsageError) as caught:
            server.requests.wait(-2)
        assert str(caught.value) == "wait(count=-2): expected a number of requests, 0 or more"


def test_a_server_with_a_handler_is_not_told_what_to_answer() -> None:
    with windsock.serving(lambda request, client_address, server: None) as server:
        for tell in (lambda: server.on(b"x"), lambda: server.reply(b"x"), server.echo):
            with pytest.raises(windsock.UsageError) as caught:
                tell()
            assert str(caught.value) == (
                "the threading tcp server has a handler, which answers; on(), reply(), greet() and echo() are for fakes"
            )


def test_a_real_program_is_refused_where_its_end_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(system.os, "waitid")

    with pytest.raises(windsock.UsageError, match=r"^real_server\(\) needs os.waitid\(\), which Python on macOS has"):
        windsock.real_server(["true"])
