"""What tshark and capinfos make of a capture."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.programs.conftest import program
from windsock.captures import subject_of, write_capture
from windsock.recording.transcript.subjects import RecordedServer

DEADLINE = 60.0
VALIDATE = [f"{each}.check_checksum:TRUE" for each in ("ip", "tcp", "udp")]
AS_DATA = ["tcp.port==1-65535,data", "udp.port==1-65535,data"]
"""Whatever the port is: no protocol on top is guessed."""
CHECKSUMS = ("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status")
WARNING = 0x600000
"""Severity of what an expert warns of, such as a reset; errors have more."""


def capture_of(directory: Path, *servers: RecordedServer, key_log: bytes = b"") -> Path:
    """Write a capture; skip the test if there is nothing to read it with, or fail where that must be."""
    program("capinfos")
    path = directory / "traffic.pcapng"
    write_capture(str(path), [subject_of(each) for each in servers], key_log=key_log)
    return path


def tshark(capture: Path, *options: str, guess: bool = False) -> str:
    """Run tshark over a file; return what it prints."""
    command = [program("tshark"), "-n", "-r", str(capture)]
    command += [word for each in VALIDATE for word in ("-o", each)]
    command += [] if guess else [word for each in AS_DATA for word in ("-d", each)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=DEADLINE, check=True)
    return done.stdout


def rows(capture: Path, *fields: str, where: str = "", guess: bool = False) -> list[tuple[str, ...]]:
    """Return the values of fields, for each packet that a filter selects."""
    options = ["-T", "fields", *(word for each in fields for word in ("-e", each))]
    if where:
        options += ["-Y", where]
    lines = tshark(capture, *options, guess=guess).splitlines()
    return [tuple(line.split("\t")) for line in lines]


def problems(capture: Path) -> list[str]:
    """Return the packets that are malformed, have a wrong checksum, or something else that an expert warns of.

    A reset is not.
    """
    others = ("_ws.malformed", "tcp.analysis.flags", "tcp.flags.reset", "_ws.expert.severity", "_ws.expert.message")
    found: list[str] = []
    for row in rows(capture, *CHECKSUMS, *others):
        ip, tcp, udp, malformed, analysis, reset, severities, _ = row
        worst = max(map(int, severities.split(",")), default=0) if severities else 0
        is_right = ip in ("", "1") and (tcp, udp) in (("1", ""), ("", "1")) and not malformed and not analysis
        if not is_right or worst > WARNING or (worst == WARNING and reset != "1"):
            found.append(str(row))
    return found


def stream(capture: Path, number: int = 0, protocol: str = "tcp") -> tuple[bytes, bytes]:
    """Return what client and server have sent, as "follow stream" shows it."""
    text = tshark(capture, "-q", "-z", f"follow,{protocol},raw,{number}")
    lines = re.findall(r"^(\t?)([0-9a-f]+)$", text, re.MULTILINE)
    up = "".join(data for tab, data in lines if not tab)
    down = "".join(data for tab, data in lines if tab)
    return bytes.fromhex(up), bytes.fromhex(down)


def comments(capture: Path) -> list[tuple[int, str]]:
    """Return the comments of packets, with the packets' numbers from 1."""
    found = rows(capture, "frame.number", "frame.comment", where="frame.comment")
    return [(int(number), each) for number, text in found for each in text.split(",")]


def flags(capture: Path, where: str = "tcp") -> list[tuple[str, str]]:
    """Return the source port and the flags of each segment: S, A, P, F, R."""
    found = rows(capture, "tcp.srcport", "tcp.flags.str", where=where)
    return [(port, "".join(re.findall("[SAPFR]", text))) for port, text in found]


def capinfos(capture: Path) -> dict[str, str]:
    """Return what capinfos says, by its headings."""
    command = [program("capinfos"), str(capture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert done.stderr.replace('Running as user "root" and group "root". This could be dangerous.', "").strip() == ""
    pairs = (line.partition(":") for line in done.stdout.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
