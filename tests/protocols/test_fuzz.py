"""Mutated messages: nothing but our own errors, no endless loop, and no memory beyond the limits.

`make fuzz` makes 100,000 of them for each test.
"""

from __future__ import annotations

import contextlib
import os
import random
import tracemalloc
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.vectors import DUMPED, MESSAGES, V4, V5, V8, X1, X3
from tests.support.rpc import NUMBERS, Adder, adding
from windsock.protocols import portmap, xdr
from windsock.protocols.record_marking import RecordReader, mark_record
from windsock.protocols.rpc_messages import Accepted, AuthSys, Call, Denied, decode_message
from windsock.protocols.xdr import DecodeError

BATCH = 100
"""The mutated messages of one example: Hypothesis chooses the seed that they are made of."""
EXAMPLES = 2 * int(os.environ.get("WINDSOCK_EXAMPLES", "1000" if os.environ.get("CI") else "100")) // BATCH
often = settings(max_examples=max(2, EXAMPLES), database=None)
seeds = st.integers(0, 2**64)
pytestmark = pytest.mark.timeout(1800)  # for as many as are asked for

RECORDS = [V4, V5, V8, mark_record(MESSAGES["V2"][0], 7), mark_record(adding(1, 2, 3).encode())]
LENGTHS = [0, 1, 2, 4, 17, 255, 256, 400, 401, 404, 0x7FFFFFFF, 0x80000000, 0x80000004, 0xFFFFFFFE, 0xFFFFFFFF]
PAIR = xdr.Struct(a=xdr.INT, b=xdr.UHYPER, s=xdr.STRING, o=xdr.OPAQUE, v=xdr.Array(xdr.INT))
TREE = xdr.Union(xdr.BOOL, {True: xdr.Array(xdr.Optional(xdr.String(9))), False: xdr.LinkedList(xdr.FixedOpaque(3))})
VALUES: list[tuple[xdr.XDRType[Any], bytes]] = [
    (PAIR, X3),
    (xdr.STRING, X1),
    (portmap.MAPPINGS, DUMPED),
    (NUMBERS, NUMBERS.encode([1, 2, 3])),
    (xdr.Array(PAIR), bytes(3) + b"\1" + X3),
    (TREE, TREE.encode((True, ["a", None, "bc"]))),
    (TREE, TREE.encode((False, [b"abc", b"def"]))),
]
MEMORY = 200_000
"""The most bytes that decoding a few hundred bytes may take."""


def mutated(chance: random.Random, whole: bytes) -> bytes:
    """Return the message with some words and bytes replaced, cut, doubled, or with more in it."""
    data = bytearray(whole)
    for _ in range(chance.randint(0, 4)):
        at = chance.randint(0, len(data))
        change = chance.choice(["word", "byte", "cut", "insert", "double"])
        if change == "word":
            data[at & ~3 : (at & ~3) + 4] = chance.choice(LENGTHS).to_bytes(4, "big")
        elif change == "byte":
            data[at : at + 1] = chance.randbytes(1)
        elif change == "cut":
            del data[at:]
        elif change == "insert":
            data[at:at] = chance.randbytes(chance.randint(1, 8))
        else:
            data += data[at:]
    return bytes(data)


def batch(seed: int, check: Callable[[random.Random], None]) -> None:
    """Check many mutated messages, and what memory they take."""
    chance = random.Random(seed)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(BATCH):
        check(chance)
    assert tracemalloc.get_traced_memory()[1] - before < MEMORY


@pytest.fixture(scope="module", autouse=True)
def measured_memory() -> Iterator[None]:
    """Have what is allocated counted."""
    tracemalloc.start()  # once: it takes longer than a batch
    yield
    tracemalloc.stop()


@often
@given(seeds)
def test_a_mutated_message_is_a_message_or_an_error_of_decoding(seed: int) -> None:
    batch(seed, check_message)


def check_message(chance: random.Random) -> None:
    message = mutated(chance, chance.choice(WHOLE))
    try:
        found = decode_message(message)
    except DecodeError as error:
        assert 0 <= error.offset <= len(message)  # noqa: PT017  # either is right
    else:
        assert found.encode() == message


@often
@given(seeds)
def test_a_mutated_value_is_a_value_or_an_error_of_decoding(seed: int) -> None:
    batch(seed, check_value)


def check_value(chance: random.Random) -> None:
    kind, whole = chance.choice(VALUES)
    encoded = mutated(chance, whole)
    try:
        found = kind.decode(encoded)
    except DecodeError as error:
        assert 0 <= error.offset <= len(encoded)  # noqa: PT017  # either is right
    else:
        assert kind.encode(found) == encoded


@often
@given(seeds)
def test_a_mutated_stream_of_records_is_records_or_an_error_of_decoding(seed: int) -> None:
    batch(seed, check_records)


def check_records(chance: random.Random) -> None:
    stream = mutated(chance, b"".join(chance.choices(RECORDS, k=3)))
    size = chance.randint(1, 100)
    reader = RecordReader(limit=1000)
    try:
        for start in range(0, len(stream), size):
            reader.feed(stream[start : start + size])
            while (record := reader.next_record()) is not None:
                assert len(record) <= 1000
    except DecodeError as error:
        assert 0 <= error.offset <= len(stream)  # noqa: PT017  # either is right


class Client:
    """The socket of a server, and of a stream with one message in it."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data
        self.replies: list[bytes] = []

    def recv(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data

    def sendall(self, data: bytes) -> None:
        self.replies.append(data)

    def sendto(self, data: bytes, address: Any) -> None:
        self.replies.append(data)


class Quiet(Adder):
    """Without procedures that fail on purpose, or for a sum that is too large."""

    def add(self, numbers: list[int]) -> int:
        return len(numbers)

    def fail(self) -> None:
        pass

    def return_text(self) -> int:
        return 3


CALLS = [adding(1, 2, 3).encode(), Call(1, Adder.program, 2, 4, X1).encode()]
CALLS += [Call(1, Adder.program, 2, credential=AuthSys(1, "h", 1, 2, [3] * 16).credential()).encode()]


WHOLE = [each for each, _ in MESSAGES.values()]


@often
@given(seeds)
def test_a_mutated_call_gets_a_reply_or_is_an_error_of_decoding(seed: int) -> None:
    batch(seed, check_call)


def check_call(chance: random.Random) -> None:
    message = mutated(chance, chance.choice([*CALLS, *WHOLE]))
    client = Client()
    try:
        Quiet((message, client), ("127.0.0.1", 1), SimpleNamespace())
    except DecodeError:
        assert client.replies == []  # either is right
    else:
        (reply,) = map(decode_message, client.replies)
        assert isinstance(reply, Accepted | Denied)
        assert reply.xid.to_bytes(4, "big") == message[:4]


@often
@given(seeds)
def test_a_mutated_stream_of_calls_gets_replies_until_an_error_of_decoding(seed: int) -> None:
    batch(seed, check_calls)


def check_calls(chance: random.Random) -> None:
    client = Client(mutated(chance, b"".join(map(mark_record, chance.choices(CALLS, k=3)))))
    with contextlib.suppress(DecodeError):
        Quiet(client, ("127.0.0.1", 1), SimpleNamespace())
    assert all(isinstance(decode_message(reply[4:]), Accepted | Denied) for reply in client.replies)
