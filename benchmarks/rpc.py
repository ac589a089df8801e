"""XDR beside xdrlib3 and a plain copy, and null calls of Sun RPC beside an echo of equal sizes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any

from benchmarks.child import Child, child
from benchmarks.exchange import DEADLINE
from benchmarks.handlers import NULL_CALL, NULL_REPLY
from benchmarks.table import Bound, Result
from windsock.protocols import xdr

__all__ = ["run"]

COUNT = 100_000
MIB = 1024 * 1024
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def run(*, is_quick: bool) -> Result:
    """Measure; in each round all take turns."""
    rounds = 5 if is_quick else 20
    rows: list[Sequence[str]] = []
    bounds: list[Bound] = []
    for what, figures, is_reverse, limit in (*codecs(rounds), *opaque(rounds), *calls(3 if is_quick else 10)):
        ours, theirs = figures
        bound = (
            Bound(f"rpc, {what}", ours / theirs, at_most=limit)
            if is_reverse
            else Bound(f"rpc, {what}", ours / theirs, at_least=limit)
        )
        bounds.append(bound)
        rows.append([what, f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.2f}x", bound.limit])
    return Result(
        "Sun RPC: XDR beside xdrlib3 and a copy, a recorded ThreadingTCPServer and ThreadingUDPServer beside an echo",
        ["what", "windsock", "other", "ratio", "bound"],
        rows,
        bounds,
        [
            f"best of {rounds} rounds; the copy is bytearray(data), which has to move each byte once",
            "calls: 44 bytes there (40 over UDP) and 28 back (24), for the echo too; servers in processes of their own",
        ],
    )


Row = tuple[str, tuple[float, float], bool, float]


def codecs(rounds: int) -> list[Row]:
    """Arrays of integers, a second, beside xdrlib3."""
    import xdrlib3

    numbers = list(range(-COUNT // 2, COUNT // 2))
    kind = xdr.Array(xdr.INT)
    data = kind.encode(numbers)

    def pack() -> None:
        packer = xdrlib3.Packer()
        packer.pack_array(numbers, packer.pack_int)
        packer.get_buffer()

    def unpack() -> None:
        unpacker = xdrlib3.Unpacker(data)
        unpacker.unpack_array(unpacker.unpack_int)

    encoded = best([lambda: kind.encode(numbers), pack], rounds)
    decoded = best([lambda: kind.decode(data), unpack], rounds)
    return [
        ("arrays of 100,000 ints encoded/s", (1 / encoded[0], 1 / encoded[1]), False, 4.0),
        ("arrays of 100,000 ints decoded/s", (1 / decoded[0], 1 / decoded[1]), False, 4.0),
    ]


def opaque(rounds: int) -> list[Row]:
    """One MiB of opaque data, in microseconds, beside a copy."""
    block = bytes(range(256)) * (MIB // 256)
    data = xdr.OPAQUE.encode(block)
    runs: list[Callable[[], Any]] = [
        lambda: xdr.OPAQUE.encode(block),
        lambda: xdr.OPAQUE.decode(data),
        lambda: bytearray(block),
    ]
    encoded, decoded, copied = (1e6 * each for each in best(runs, 10 * rounds))
    return [
        ("1 MiB opaque encoded, us", (encoded, copied), True, 2.0),
        ("1 MiB opaque decoded, us", (decoded, copied), True, 2.0),
    ]


def best(runs: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Return the shortest time of each, in seconds; they take turns."""
    found = [float("inf")] * len(runs)
    for _ in range(rounds):
        for n, each in enumerate(runs):
            start = perf_counter()
            each()
            found[n] = min(found[n], perf_counter() - start)
    return found


def calls(rounds: int) -> list[Row]:
    """Null calls a second beside an echo of equal sizes."""
    return [
        (f"null calls/s over {name.upper()}", (rates[0], rates[1]), False, 0.5)
        for name in KINDS
        if (rates := rates_of(name, rounds))
    ]


def rates_of(name: str, rounds: int) -> list[float]:
    """Return the best rate of calls, and of the echo."""
    with ExitStack() as stack:
        servers = [stack.enter_context(child(f"{kind} {name}")) for kind in ("rpc", "sizes")]
        rates = [0.0, 0.0]
        for _ in range(rounds):
            for n, server in enumerate(servers):
                rates[n] = max(rates[n], round_trips(server, name, 2000))
        return rates


def round_trips(server: Child, name: str, count: int) -> float:
    """Return how many times a second a call goes there and its reply comes back."""
    mark = 0 if name == "tcp" else 4
    call, size = NULL_CALL[mark:], len(NULL_REPLY) - mark
    with socket.socket(socket.AF_INET, KINDS[name]) as client:
        client.settimeout(DEADLINE)
        client.connect(server.address)
        start = perf_counter()
        for _ in range(count):
            client.send(call)
            assert len(client.recv(4096)) == size
        return count / (perf_counter() - start)
