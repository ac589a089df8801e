"""Recordings of fakes, and clients of theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import windsock

Talk = Callable[[Any], object]
"""What a client does with an address."""


def talk(*pairs: tuple[bytes, bytes], transport: str | None = None) -> Talk:
    """Return a function that sends each message with one client, and expects its reply."""

    def do(address: Any) -> None:
        with windsock.scripted_client(address, transport=transport) as client:
            for message, reply in pairs:
                client.send(message).expect(reply)

    return do


def recorded(path: Path, rules: dict[bytes, bytes], do: Talk, *, transport: str = "tcp", **options: Any) -> str:
    """Record what a client does with a fake; return the cassette's text, from its first message on."""
    framing = "lines" if transport in ("tcp", "unix_stream") else None
    with windsock.serving(transport=transport, framing=framing, allow_unused=True) as server:
        for pattern, reply in rules.items():
            server.on(pattern).reply(reply)
        with windsock.record(server.address, path, **{"transport": transport, "framing": framing} | options) as real:
            do(real.address)
    return path.read_text()


def without_times(text: str) -> list[str]:
    """Return the lines of a cassette that are about connections, without their times."""
    return [line.partition(" ")[2] for line in text.splitlines() if line.startswith("+")]


def cassette(path: Path, *lines: str, transport: str = "tcp", framing: str = "lines") -> Path:
    """Write a cassette with these lines; those without a time get one."""
    timed = [line if line.startswith("+") else f"+0.000 {line}" for line in lines]
    path.write_text(
        "\n".join(["windsock cassette 1", f"transport: {transport}", f"framing: {framing}", "", *timed, "end", ""])
    )
    return path
