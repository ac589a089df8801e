"""Makes docs/images/failure.svg, a failure in a terminal, from a run of a test: `make screenshots`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).parent
PICTURE = DOCS / "images" / "failure.svg"
COLUMNS, LINE_HEIGHT, CHARACTER_WIDTH, MARGIN = 118, 19, 7.83, 16
COLOURS = {"E ": "#ff8a80", "> ": "#ffffff", "+0": "#80cbc4", "--": "#80cbc4", "__": "#ff8a80"}
"""The colour of a line by its beginning; other lines are grey."""


def code() -> str:
    """Return the test that fails on the page start-here.md."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / "start-here.md").read_text(), re.MULTILINE | re.DOTALL)
    return str(blocks[-1])


def report(directory: Path) -> list[str]:
    """Run the test in a directory; return the lines of its report, as far as they are the same in each run."""
    (directory / "test_line_end.py").write_text(code())
    options = ["-q", "--color=no", "-p", "no:cacheprovider", "--rootdir", str(directory), "--timeout", "20"]
    command = [sys.executable, "-W", "ignore", "-m", "pytest", *options, "test_line_end.py"]
    environment = os.environ | {"COLUMNS": "80"}
    result = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    lines = result.stdout.splitlines()
    first = next(number for number, line in enumerate(lines) if "test_line_end ___" in line)
    last = next(number for number, line in enumerate(lines) if "handler error" in line)
    return [steady(line) for line in lines[first : last + 1]]


def steady(line: str) -> str:
    """Return a line with the times and ports of no run in particular."""
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:40123", line)
    return re.sub(r"^\+\d\.\d{4}", "+0.0004", line)


def picture(lines: list[str]) -> str:
    """Return the picture of these lines."""
    rows = list(folded(lines))
    width, height = round(COLUMNS * CHARACTER_WIDTH + 2 * MARGIN), len(rows) * LINE_HEIGHT + 2 * MARGIN
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    drawn = [text(number, line, colour) for number, (line, colour) in enumerate(rows)]
    background = f'<rect width="{width}" height="{height}" rx="8" fill="#1e2430"/>'
    style = 'font-family="monospace" font-size="13" style="white-space: pre"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>'
    return "\n".join([head, background, *drawn, "</svg>\n"])


def folded(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the rows of a terminal with their colours: a long line goes on in the next row."""
    for line in lines:
        colour = COLOURS.get(line[:2], "#b0bec5")
        for start in range(0, max(len(line), 1), COLUMNS):
            yield line[start : start + COLUMNS], colour


def text(number: int, line: str, colour: str) -> str:
    """Return a row of the terminal."""
    return f'<text x="{MARGIN}" y="{MARGIN + (number + 1) * LINE_HEIGHT - 6}" fill="{colour}">{escape(line)}</text>'


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        PICTURE.write_text(picture(report(Path(temporary))))
