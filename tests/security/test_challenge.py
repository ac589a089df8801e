"""Challenge and response: with the clients of multiprocessing, of every version, and with those who cheat."""

from __future__ import annotations

import contextlib
import hmac
import socket
import struct
from itertools import product
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, answer_challenge, deliver_challenge
from typing import Any

import pytest

from tests.security.helpers import secured
from tests.support.handlers import EchoBytes, echo_stream
from tests.support.servers import STREAMS, connect, on_every_stream_kind, receive, rest_of, wait_for_end
from tests.support.waiting import DEADLINE
from windsock import Ending, LengthPrefix, RunningServer, combine, serving
from windsock.harness import CONCURRENCIES
from windsock.security import ChallengeMixIn, TLSMixIn
from windsock.security.authkey import answer, is_right
from windsock.servers import BaseRequestHandler, StreamRequestHandler

KEY = b"between the two of us"
FRAMES = LengthPrefix(size=4, byteorder="big", includes_prefix=False)


def guarded(transport: str = "tcp", concurrency: str = "threading", **what: Any) -> type[Any]:
    made = combine(transport=transport, concurrency=concurrency, mixins=[ChallengeMixIn])
    return type("Guarded", (made,), {"authkey": KEY, **what})


@on_every_stream_kind
def test_a_client_of_multiprocessing_with_the_key_can_talk(transport: str, concurrency: str) -> None:
    with serving(guarded(transport, concurrency), framing=FRAMES).echo() as server:
        with Client(server.address, authkey=KEY) as client:
            client.send({"question": 42})
            answer_came = client.poll(DEADLINE)
            assert answer_came
            assert client.recv() == {"question": 42}

        request = server.requests.wait(1)[0]

    assert request.data == request.reply
    assert len(server.connections[0].upstream) == len(request.data)
    assert KEY not in server.connections[0].upstream
    assert server.connections[0].refused is None


@on_every_stream_kind
def test_a_client_with_another_key_is_refused(transport: str, concurrency: str) -> None:
    with serving(guarded(transport, concurrency), EchoBytes) as server:
        with pytest.raises(AuthenticationError):
            Client(server.address, authkey=b"a guess")
        wait_for_end(server)

    (connection,) = server.connections
    assert connection.ending == Ending.REFUSED
    assert connection.refused == "the client's response does not match the secret"
    assert connection.upstream == connection.downstream == b""
    assert list(server.errors) == []
    assert KEY not in "\n".join(server.transcript()).encode()


def message(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def receive_message(client: socket.socket) -> bytes:
    size = int.from_bytes(receive(client, 4), "big")
    return receive(client, size)


def respond_as_of_old(client: socket.socket) -> None:
    """Do what the clients of Python 3.11 and before do first."""
    challenge = receive_message(client).removeprefix(b"#CHALLENGE#")
    client.sendall(message(hmac.new(KEY, challenge, "md5").digest()))
    assert receive_message(client) == b"#WELCOME#"


def respond(client: socket.socket, digest: str = "sha256") -> None:
    """Do what the clients of Python 3.12 and later do first."""
    challenge = receive_message(client).removeprefix(b"#CHALLENGE#")
    assert challenge.startswith(b"{sha256}")
    client.sendall(message(b"{%s}" % digest.encode() + hmac.new(KEY, challenge, digest).digest()))
    assert receive_message(client) == b"#WELCOME#"


def test_a_client_of_old_is_answered_as_of_old() -> None:
    with serving(guarded(), EchoBytes) as server, connect(server) as client:
        respond_as_of_old(client)
        client.sendall(message(b"#CHALLENGE#" + b"n" * 20))
        assert receive_message(client) == hmac.new(KEY, b"n" * 20, "md5").digest()
        client.sendall(message(b"#WELCOME#") + b"hello")
        assert receive(client, 5) == b"hello"


@pytest.mark.parametrize("digest", ["md5", "sha256", "sha384", "sha3_256", "sha3_384"])
def test_a_client_of_today_may_choose_its_digest(digest: str) -> None:
    challenge = b"{%s}" % digest.encode() + b"n" * 40
    with serving(guarded(), EchoBytes) as server, connect(server) as client:
        respond(client, digest)
        client.sendall(message(b"#CHALLENGE#" + challenge))
        assert receive_message(client) == b"{%s}" % digest.encode() + hmac.new(KEY, challenge, digest).digest()
        client.sendall(message(b"#WELCOME#") + b"hello")
        assert receive(client, 5) == b"hello"


def refusal_of(server: RunningServer) -> str | None:
    wait_for_end(server)
    assert server.connections[0].ending == Ending.REFUSED
    return server.connections[0].refused


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (message(b"{sha1}" + b"x" * 20), "the client's response does not match the secret"),
        (message(b""), "the client's response does not match the secret"),
        (b"GET / HTTP/1.1\r\n\r\n", "the client sent something other than a response: a message of 1195725856 bytes"),
        (b"\xff\xff\xff\xff" + bytes(8), "the client sent something other than a response: a message of -1 bytes"),
        (b"\0\0", "the client left before it had shown that it knows the secret"),
    ],
)
def test_other_answers_are_refused(sent: bytes, reason: str) -> None:
    with serving(guarded(), EchoBytes) as server, connect(server) as client:
        receive_message(client)
        client.sendall(sent)
        with contextlib.suppress(OSError):  # the server may have hung up by then
            client.shutdown(socket.SHUT_WR)
        found = refusal_of(server)

    assert found == reason


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"hello", "the client sent no challenge of its own"),
        (b"#CHALLENGE#short", "the client sent a challenge of 5 bytes without the name of a digest"),
        (b"#CHALLENGE#{crc32}" + b"n" * 40, "the client sent a challenge for the digest 'crc32', with 40 random bytes"),
        (b"#CHALLENGE#{md5}n", "the client sent a challenge for the digest 'md5', with 1 random bytes"),
    ],
)
def test_other_challenges_are_refused(sent: bytes, reason: str) -> None:
    with serving(guarded(), EchoBytes) as server, connect(server) as client:
        respond(client)
        client.sendall(message(sent))
        found = refusal_of(server)

    assert found == reason


def test_a_client_that_does_not_believe_us_is_let_go() -> None:
    with serving(guarded(), EchoBytes) as server, connect(server) as client:
        respond(client)
        client.sendall(message(b"#CHALLENGE#" + b"n" * 20))
        receive_message(client)
        client.sendall(message(b"#FAILURE#"))
        found = refusal_of(server)

    assert found == "the client did not accept the server's response"


def test_a_mute_client_is_waited_for_no_longer_than_the_deadline() -> None:
    with serving(guarded(challenge_timeout=0.05), EchoBytes) as server, connect(server) as client:
        found = refusal_of(server)
        assert rest_of(client).startswith(b"\0\0\0")

    assert found == "the client did not answer within 0.05 s"


@pytest.mark.parametrize(
    ("transport", "concurrency", "handler"),
    [*((*kind, EchoBytes) for kind in product(STREAMS, CONCURRENCIES)), ("tcp", "trio", echo_stream)],
)
def test_a_mute_client_does_not_hold_up_the_stop(transport: str, concurrency: str, handler: Any) -> None:
    with serving(guarded(transport, concurrency), handler) as server, connect(server) as client:
        receive_message(client)

        server.stop()

        assert rest_of(client) == b""
    assert server.connections[0].ending == Ending.STOPPED


class Messages:
    """What the functions of multiprocessing.connection need of a connection."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def send_bytes(self, data: bytes) -> None:
        self._client.sendall(message(data))

    def recv_bytes(self, longest: int) -> bytes:
        data = receive_message(self._client)
        assert len(data) <= longest
        return data


def exchange(client: socket.socket, key: bytes) -> None:
    """Do what multiprocessing.connection.Client does once it is connected."""
    connection: Any = Messages(client)
    answer_challenge(connection, key)
    deliver_challenge(connection, key)


def kinds_of_handlers() -> list[Any]:
    kinds = [pytest.param(EchoBytes, each, id=each) for each in CONCURRENCIES]
    return [*kinds, pytest.param(echo_stream, "trio", id="trio, async")]


def guarded_and_encrypted(concurrency: str, **what: Any) -> type[Any]:
    made = combine(concurrency=concurrency, mixins=[TLSMixIn, ChallengeMixIn])
    return type("Guarded", (made,), {"authkey": KEY, **what})


@pytest.mark.parametrize(("handler", "concurrency"), kinds_of_handlers())
def test_the_challenge_goes_through_tls(handler: Any, concurrency: str) -> None:
    with serving(guarded_and_encrypted(concurrency), handler, tls=True) as server, secured(server) as client:
        exchange(client, KEY)
        client.sendall(b"hello")
        assert receive(client, 5) == b"hello"
        client.unwrap()
        wait_for_end(server)

        (connection,) = server.connections
        assert connection.upstream == connection.downstream == b"hello"
        assert connection.tls is not None
        assert connection.tls.version == "TLSv1.3"


@pytest.mark.parametrize(("handler", "concurrency"), kinds_of_handlers())
def test_who_has_another_key_is_refused_through_tls(handler: Any, concurrency: str) -> None:
    with serving(guarded_and_encrypted(concurrency), handler, tls=True) as server:
        with secured(server) as client:
            with pytest.raises(AuthenticationError):
                exchange(client, b"a guess")
            assert client.recv(1) == b""
        wait_for_end(server)

        (connection,) = server.connections
        assert connection.ending == Ending.REFUSED
        assert connection.refused == "the client's response does not match the secret"
        assert connection.upstream == connection.downstream == b""
        assert list(server.errors) == []


@pytest.mark.parametrize(("handler", "concurrency"), kinds_of_handlers())
def test_the_challenge_comes_first_and_starttls_later(handler: Any, concurrency: str) -> None:
    class Later(StreamRequestHandler):
        def handle(self) -> None:
            self.start_tls()
            self.wfile.write(b"hello")

    class AsyncLater(BaseRequestHandler):
        async def handle(self) -> None:
            await self.start_tls()
            await self.stream.send_all(b"hello")

    later = AsyncLater if handler is echo_stream else Later
    with serving(guarded_and_encrypted(concurrency), later, tls="starttls") as server, connect(server) as raw:
        exchange(raw, KEY)
        with server.client_context().wrap_socket(raw, server_hostname="localhost") as client:
            assert receive(client, 5) == b"hello"


@pytest.mark.parametrize("tls", [True, None])
def test_a_mute_client_of_an_async_handler_is_waited_for_no_longer_than_the_deadline(tls: Any) -> None:
    made = guarded_and_encrypted("trio", challenge_timeout=0.05) if tls else guarded(concurrency="trio")
    made.challenge_timeout = 0.05
    with serving(made, echo_stream, tls=tls) as server, secured(server) if tls else connect(server) as client:
        found = refusal_of(server)
        assert rest_of(client).startswith(b"\0\0\0")

    assert found == "the client did not answer within 0.05 s"


def test_a_client_that_resets_in_the_course_of_it_is_refused() -> None:
    with serving(guarded(concurrency="trio"), echo_stream) as server, connect(server) as client:
        receive_message(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        wait_for_end(server)

    assert server.connections[0].refused == "the client left: Connection reset by peer"


def test_an_override_that_an_async_handler_would_not_ask_is_not_left_out_in_silence() -> None:
    def authenticate(server: Any, request: Any) -> str:
        return "nobody may"

    with serving(guarded(concurrency="trio", authenticate=authenticate), echo_stream) as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        wait_for_end(server)
        (error,) = server.errors.take()

    assert str(error) == (
        "Guarded overrides authenticate(), which is not called for async handlers; "
        "override `async authenticate_stream(stream)` as well"
    )


def test_an_async_handler_of_datagrams_is_not_left_open_in_silence() -> None:
    class Answers(BaseRequestHandler):
        async def handle(self) -> None:
            await self.reply(b"open")

    with serving(guarded("udp", "trio"), Answers) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(server.address)
        client.send(b"x")
        wait_for_end(server)
        (error,) = server.errors.take()

    assert server.connections[0].downstream == b""
    assert str(error) == "Guarded: ChallengeMixIn is for streams, and this request is a datagram"


def test_a_server_without_a_key_says_so() -> None:
    with serving(guarded(authkey=None), EchoBytes) as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        (error,) = server.errors.take()

    assert str(error) == "Guarded.authkey is not set; expected bytes, the secret of both ends"


def test_a_response_to_one_challenge_does_not_fit_another() -> None:
    one, other = b"{sha256}" + b"1" * 40, b"{sha256}" + b"2" * 40

    assert is_right(KEY, one, answer(KEY, one))
    assert not is_right(KEY, other, answer(KEY, one))
    assert not is_right(b"another key", one, answer(KEY, one))


def test_an_async_handler_is_behind_the_challenge_too() -> None:
    with serving(guarded(concurrency="trio"), echo_stream) as server:
        with Client(server.address, authkey=KEY) as client:
            client.send_bytes(b"hello")
            assert client.recv_bytes() == b"hello"
        with pytest.raises(Exception, match="digest"):
            Client(server.address, authkey=b"a guess")
        wait_for_end(server, 1)

    assert server.connections[0].upstream == b"\0\0\0\5hello"
    assert server.connections[1].ending == Ending.REFUSED
