"""What needs Linux: the table in docs/platforms.md has a row for each check in the code; regenerated as a program.

`python -m tests.docs.test_platforms` writes the first two columns. The third is prose, and is kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "platforms.md"
SOURCES = (ROOT / "src", ROOT / "plugin")
MODULES = {"os", "socket", "select", "selectors", "signal", "mmap", "faulthandler"}
ON_MACOS = {
    *("os.fork", "os.register_at_fork", "faulthandler.register"),
    *("select.poll", "selectors.PollSelector"),
    *("signal.SIGURG", "signal.SIGWINCH"),
    *("socket.AF_UNIX", "socket.CMSG_SPACE", "socket.IPPROTO_IPV6", "socket.MSG_CTRUNC", "socket.MSG_DONTWAIT"),
    *("socket.SCM_RIGHTS", "socket.SOCK_SEQPACKET", "socket.SO_REUSEPORT"),
}
"""What the code asks for that macOS has, too, and Windows or others may lack."""
MARK = re.compile(r"(?<=<!-- checks: begin -->\n).*?(?=<!-- checks: end -->)", re.DOTALL)
HEAD = "| the code asks for | in | without it |\n|---|---|---|\n"
ROW = re.compile(r"^\| (`.*?`) \| (.*?) \| (.*?) \|$", re.MULTILINE)


def asked_for(node: ast.AST) -> str:
    """Return what a node of the code asks the platform for; "" if nothing."""
    match node:
        case ast.Call(
            func=ast.Name(id="hasattr" | "getattr"), args=[ast.Name(id=module), ast.Constant(value=str(name)), *_]
        ):
            return f"{module}.{name}" if module in MODULES else ""
        case ast.Compare(left=ast.Name(id="platform"), comparators=[ast.Constant(value=name)]):
            return str(name)
    return ""


def checks() -> Iterator[tuple[str, str]]:
    """Give what is asked for, and the file that asks, in the order of the table."""
    found = set()
    for source in SOURCES:
        for path in source.rglob("*.py"):
            text = path.read_text()
            if "hasattr(" in text or "getattr(" in text or "platform" in text:
                name = path.relative_to(source).as_posix().removeprefix("windsock/")
                found |= {(asked_for(node), name) for node in ast.walk(ast.parse(text))}
    return (each for each in sorted(found) if each[0] and each[0] not in ON_MACOS)


def rows() -> dict[tuple[str, str], str]:
    """Return the prose of each row of the page."""
    return {(what.strip("`"), where.strip("`")): prose for what, where, prose in ROW.findall(PAGE.read_text())}


def table() -> str:
    """Return the table as it should be, with the prose that is there."""
    prose = rows()
    return HEAD + "".join(
        f"| `{what}` | `{where}` | {prose.get((what, where), 'TO WRITE')} |\n" for what, where in checks()
    )


def test_the_table_has_a_row_for_each_check_in_the_code() -> None:
    assert list(rows()) == list(checks())


def test_each_row_says_what_happens_elsewhere() -> None:
    assert [where for where, prose in rows().items() if len(prose.split()) < 2 or prose == "TO WRITE"] == []


if __name__ == "__main__":
    PAGE.write_text(MARK.sub(lambda _: table(), PAGE.read_text()))
