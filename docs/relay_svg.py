"""Makes docs/relay.svg, the picture of a relayed connection, from the words below: `python docs/relay_svg.py`."""

from __future__ import annotations

from pathlib import Path

BOXES = [
    (20, 80, 120, 120, "client", "any program"),
    (210, 20, 300, 205, "relay", "one thread for all connections"),
    (580, 80, 150, 120, "handler", "thread, process, turn, task"),
]
CHAINS = [
    (235, 80, "upstream", "queue, delay, rate, modify, segment, close"),
    (235, 150, "downstream", "queue, delay, rate, modify, segment, close"),
]
ARROWS = [(140, 105, 232), (485, 105, 577), (580, 175, 488), (235, 175, 143)]
NOTES = [
    (175, 250, "the client's socket:", "only the relay has it"),
    (545, 250, "a socket of the handler's own,", "recorded, with the client's address"),
]


def text(x: float, y: float, words: str, *, size: int = 12, weight: str = "normal") -> str:
    """Return a centred line."""
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="middle">{words}</text>'


def box(x: int, y: int, width: int, height: int, title: str, words: str) -> list[str]:
    """Return a box with a title at its top, or in its middle if it is small."""
    middle = x + width / 2
    top = y + (55 if width < 200 else 22)
    return [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="#f4f6f8" stroke="#445"/>',
        text(middle, top, title, size=14, weight="bold"),
        text(middle, top + 18, words, size=10),
    ]


def chain(x: int, y: int, title: str, words: str) -> list[str]:
    """Return a chain of faults, one direction of a connection."""
    return [
        f'<rect x="{x}" y="{y}" width="250" height="50" rx="4" fill="#fff" stroke="#a54"/>',
        text(x + 125, y + 20, f"faults, {title}", weight="bold"),
        text(x + 125, y + 38, words, size=10),
    ]


def arrow(x: int, y: int, to: int) -> str:
    """Return a level arrow."""
    return f'<line x1="{x}" y1="{y}" x2="{to}" y2="{y}" stroke="#445" stroke-width="2" marker-end="url(#head)"/>'


def picture() -> str:
    """Return the whole of it."""
    head = (
        '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
        '<path d="M0,0 L6,3 L0,6 z" fill="#445"/></marker></defs>'
    )
    parts = [head]
    for shape in BOXES:
        parts += box(*shape)
    for direction in CHAINS:
        parts += chain(*direction)
    parts += [arrow(x, y, to) for x, y, to in ARROWS]
    for x, y, first, second in NOTES:
        parts += [text(x, y, first, size=11), text(x, y + 15, second, size=11)]
    title = "<title>A relayed connection: client, relay with a chain of faults each way, handler</title>"
    body = "\n".join([title, *parts])
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 750 280" width="750" height="280" '
        f'font-family="sans-serif" fill="#223">\n<rect width="750" height="280" fill="#fff"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    Path(__file__).with_name("relay.svg").write_text(picture())
