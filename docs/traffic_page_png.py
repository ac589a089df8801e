"""Makes docs/images/traffic-page.png: `make screenshots`, where Chromium is installed."""

from __future__ import annotations

import hashlib
import shutil
import socket
import struct
import tempfile
import time
import zlib
from pathlib import Path

from tests.captures.chromium import Chromium

import windsock
from windsock.captures.page import write_page
from windsock.faults import Reset
from windsock.proxies.proxy import FaultProxy
from windsock.servers import StreamRequestHandler

PICTURE = Path(__file__).parent / "images" / "traffic-page.png"
CAPTURES = Path(windsock.__file__).parent / "captures"
KEYWORD = b"windsock-source\0"
"""Where the picture says what it was made of: the keyword of a text in it (PNG, chunk tEXt)."""
FINDINGS = [
    "checkout #0: a fault reset the connection after 3 bytes of the reply, and the client did not connect again.",
    "shop #1: the handler failed: ZeroDivisionError: integer division or modulo by zero.",
]


class Shop(StreamRequestHandler):
    """Answers questions about tea."""

    timeout = 0.2

    def handle(self) -> None:
        """Answer one line after the other."""
        for line in self.rfile:
            question, _, rest = line.decode().partition(" ")
            if question == "PRICE":
                self.wfile.write("200 4.20 € a cup\r\n".encode())
            elif question == "LABEL":
                self.wfile.write(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 30)
            elif question == "SPLIT":
                self.wfile.write(b"200 %d each\r\n" % (420 // int(rest)))


def behind_the_proxy(proxy: FaultProxy) -> None:
    """Buy tea until a fault resets the connection."""
    with windsock.scripted_client(proxy.address) as client:
        client.send(b"PRICE green tea\r\n").expect("200 4.20 € a cup\r\n".encode())
        client.send(b"LABEL green tea\r\n").expect(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 30)
        time.sleep(0.02)
        with proxy.fault(Reset(after_bytes=3), direction="downstream"):
            client.send(b"SPLIT 4\r\n").expect(b"200").expect_reset()


def source() -> bytes:
    """Return a digest of what draws the page, and of this script."""
    files = [CAPTURES / "page.html", CAPTURES / "page.css", CAPTURES / "page.js", Path(__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest().encode()


def with_source(png: bytes) -> bytes:
    """Return the picture with a text before its last chunk that says what it was made of."""
    content = b"tEXt" + KEYWORD + source()
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:-12] + chunk + png[-12:]


def picture(directory: Path) -> None:
    """Record a test's traffic, open its page and take the picture."""
    with (
        windsock.serving(Shop, name="shop", strict=False) as shop,
        windsock.serving(transport="udp", name="audit log") as audit,
        windsock.proxy(shop.address, name="checkout") as proxy,
    ):
        behind_the_proxy(proxy)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"<13>shop: order 17 failed", audit.address)
        with shop.connect() as client:
            client.send(b"SPLIT 0\r\n").expect_eof()
        with shop.connect() as client:
            client.send(b"PRICE gre").expect_eof()
        page = directory / "page.html"
        write_page(page, "tests/test_shop.py::test_checkout", [shop, audit, proxy], FINDINGS)
    program = shutil.which("chromium")
    assert program is not None, "chromium is not installed"
    with Chromium(program) as browser:
        tab = browser.open(page, size=(1280, 900))
        tab.settle()
        tab.run("step(11)")
        tab.settle()
        tab.click(".row .words", "7,688 B")
        tab.run("scroller.scrollTop += 210")
        tab.move(0, 0)
        tab.settle()
        tab.screenshot(PICTURE)
    PICTURE.write_bytes(with_source(PICTURE.read_bytes()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        picture(Path(temporary))
