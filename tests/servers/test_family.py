"""The names, the shape and the types of the family are those of the classic one, and of the standard library's."""

from __future__ import annotations

import inspect
import socket
import socketserver
from typing import Any

import pytest

from tests.servers.helpers import DATAGRAM, STREAM, TCP, UDP, UNIX_DATAGRAM, UNIX_STREAM, each
from tests.support.processes import run_python
from windsock import servers

PUBLIC: list[Any] = [getattr(servers, name) for name in servers.__all__]


def test_all_public_names_of_the_standard_library_are_there() -> None:
    assert set(socketserver.__all__) <= set(servers.__all__)
    assert all(hasattr(servers, name) for name in servers.__all__)


def test_the_version_is_that_of_the_interface() -> None:
    stock: Any = socketserver

    assert servers.__version__ == stock.__version__


@pytest.mark.parametrize("name", sorted(socketserver.__all__))
def test_all_public_members_of_the_standard_librarys_classes_are_there(name: str) -> None:
    stock, ours = getattr(socketserver, name), getattr(servers, name)
    public = [member for member in dir(stock) if not member.startswith("_")]

    assert [member for member in public if not hasattr(ours, member)] == []


@pytest.mark.parametrize("name", sorted(socketserver.__all__))
def test_methods_take_what_the_standard_librarys_take(name: str) -> None:
    stock, ours = getattr(socketserver, name), getattr(servers, name)
    for member in dir(stock):
        theirs = getattr(stock, member)
        if inspect.isfunction(theirs) and (not member.startswith("_") or member == "__init__"):
            wanted = inspect.signature(theirs).parameters
            got = inspect.signature(getattr(ours, member)).parameters
            shape = [(p.name, p.kind, p.default) for p in wanted.values()]
            assert [(p.name, p.kind, p.default) for p in got.values()][: len(shape)] == shape, member


def test_the_family_tree_is_the_classic_one() -> None:
    assert issubclass(servers.TCPServer, servers.BaseServer)
    assert issubclass(servers.UDPServer, servers.TCPServer)
    assert issubclass(servers.UnixStreamServer, servers.TCPServer)
    assert issubclass(servers.UnixDatagramServer, servers.UDPServer)
    for handler in (servers.StreamRequestHandler, servers.DatagramRequestHandler):
        assert issubclass(handler, servers.BaseRequestHandler)


@each([kind for kind in STREAM + DATAGRAM if issubclass(kind, servers.ThreadingMixIn | servers.ForkingMixIn)])
def test_a_mix_in_comes_first(kind: Any) -> None:
    mix_in, transport = kind.__bases__

    assert mix_in in (servers.ThreadingMixIn, servers.ForkingMixIn)
    assert kind.__name__ == mix_in.__name__.removesuffix("MixIn") + transport.__name__


ATTRIBUTES: dict[type, dict[str, Any]] = {
    servers.BaseServer: {"timeout": None, "block_on_close": True, "stop_timeout": 5.0},
    servers.TCPServer: {
        "address_family": socket.AF_INET,
        "socket_type": socket.SOCK_STREAM,
        "request_queue_size": 5,
        "allow_reuse_address": False,
        "allow_reuse_port": False,
        "timeout": None,
    },
    servers.UDPServer: {"socket_type": socket.SOCK_DGRAM, "max_packet_size": 8192},
    servers.UnixStreamServer: {"address_family": socket.AF_UNIX, "socket_type": socket.SOCK_STREAM},
    servers.UnixDatagramServer: {
        "address_family": socket.AF_UNIX,
        "socket_type": socket.SOCK_DGRAM,
        "max_packet_size": 8192,
    },
    servers.ForkingMixIn: {
        "active_children": None,
        "max_children": 40,
        "timeout": 300,
        "block_on_close": True,
    },
    servers.ThreadingMixIn: {"daemon_threads": False, "block_on_close": True, "max_threads": None},
    servers.StreamRequestHandler: {
        "rbufsize": -1,
        "wbufsize": 0,
        "timeout": None,
        "disable_nagle_algorithm": False,
    },
}


@pytest.mark.parametrize("kind", ATTRIBUTES, ids=lambda kind: kind.__name__)
def test_class_attributes_have_their_classic_values(kind: Any) -> None:
    expected = ATTRIBUTES[kind]

    found = {name: getattr(kind, name) for name in expected}
    assert found == expected
    assert {name: type(value) for name, value in found.items()} == {k: type(v) for k, v in expected.items()}


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_everything_public_has_its_types_and_its_promise(public: Any) -> None:
    assert inspect.getdoc(public)
    for name, member in vars(public).items():
        if not name.startswith("_") and inspect.isfunction(member):
            signature = inspect.signature(member)
            assert signature.return_annotation is not inspect.Signature.empty, name
            given = list(signature.parameters.values())[1:]
            assert all(each.annotation is not inspect.Parameter.empty for each in given), name
            assert inspect.getdoc(member), name


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        (servers.StreamRequestHandler, {"request", "client_address", "server", "connection", "rfile", "wfile"}),
        (servers.DatagramRequestHandler, {"request", "client_address", "server", "packet", "socket", "rfile", "wfile"}),
    ],
)
def test_a_handler_has_its_classic_attributes(kind: Any, attributes: set[str]) -> None:
    here, there = socket.socketpair()
    with here, there:
        request = here if kind is servers.StreamRequestHandler else (b"packet", here)
        handler = kind(request, None, None)

        assert attributes <= set(vars(handler))


@each(TCP + UDP)
def test_a_server_has_its_classic_attributes(kind: Any) -> None:
    with kind(("127.0.0.1", 0), servers.BaseRequestHandler) as server:
        assert isinstance(server.socket, socket.socket)
        assert isinstance(server.server_address, tuple)
        assert isinstance(server.fileno(), int)
        assert server.RequestHandlerClass is servers.BaseRequestHandler


def test_there_is_a_class_for_each_combination() -> None:
    assert len(STREAM + DATAGRAM) == len(set(TCP + UDP + UNIX_STREAM + UNIX_DATAGRAM)) == 20


@pytest.mark.parametrize(
    ("missing", "gone"),
    [
        ("del os.fork", {name for name in servers.__all__ if name.startswith("Forking")}),
        ("del socket.AF_UNIX", {name for name in servers.__all__ if "Unix" in name}),
    ],
)
def test_what_a_platform_lacks_is_not_there(missing: str, gone: set[str]) -> None:
    script = f"import os, socket; {missing}; from windsock import servers; print(*servers.__all__)"

    assert set(servers.__all__) - set(run_python(script).split()) == gone
