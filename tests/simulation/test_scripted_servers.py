"""Clients of protocols that are played by scripts, on the kernel's network and in a world, by one switch."""

from __future__ import annotations

import ftplib
import io
import struct

import pytest

from pytest_windsock import Serve
from windsock import Script

pytestmark = pytest.mark.parametrize(
    "pause",
    [
        pytest.param(0.001, id="kernel"),
        pytest.param(30.0, id="world", marks=pytest.mark.windsock(simulated=True)),
    ],
)
"""Seconds that pass now and then: in a world they cost nothing."""

LOGIN = (
    Script()
    .send(b"220 ready\r\n")
    .expect(b"USER anonymous\r\n")
    .send(b"331 who are you\r\n")
    .expect(b"PASS anonymous@\r\n")
    .send(b"230 welcome\r\n")
)


def passive(address: tuple[str, int], command: bytes, pause: float) -> Script:
    """Return the part of a session of FTP that passes a file over a second connection."""
    where = b",".join([*address[0].encode().split(b"."), *(b"%d" % byte for byte in divmod(address[1], 256))])
    return (
        Script()
        .expect(b"TYPE I\r\n")
        .send(b"200 binary\r\n")
        .expect(b"PASV\r\n")
        .send(b"227 entering passive mode (%b)\r\n" % where)
        .expect(b"%b wind.txt\r\n" % command)
        .pause(pause)
        .send(b"150 here it comes\r\n")
        .send(b"226 done\r\n")
    )


def test_ftplib_fetches_and_stores_a_file(serve: Serve, pause: float) -> None:
    data, control = serve(name="data", timeout=99), serve(name="control")
    data.play(Script().send(b"Northwest\n").close())
    data.play(Script().expect(b"Southeast\n").expect_eof())
    session = LOGIN + passive(data.address, b"RETR", pause) + passive(data.address, b"STOR", pause)
    control.play(session.expect(b"QUIT\r\n").send(b"221 bye\r\n").close())
    fetched: list[bytes] = []

    with ftplib.FTP() as client:
        client.connect(control.host, control.port, timeout=99)
        client.login()
        client.retrbinary("RETR wind.txt", fetched.append)
        client.storbinary("STOR wind.txt", io.BytesIO(b"Southeast\n"))

    assert b"".join(fetched) == b"Northwest\n"
    assert len(data.connections) == 2


def packet(number: int, payload: bytes) -> bytes:
    """Return a packet of the protocol of MySQL."""
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def text(value: bytes) -> bytes:
    """Return a string with its length in front."""
    return bytes([len(value)]) + value


PACKET_LENGTH = 4
CAPABILITIES = 0x0008_A209
"""4.1, connect with a database, transactions, secure connection, plugins."""
GREETING = packet(
    0,
    b"\x0a8.0.0\0"
    + struct.pack("<I8sxHBH", 7, b"12345678", CAPABILITIES & 0xFFFF, 45, 2)
    + struct.pack("<HB10x", CAPABILITIES >> 16, 21)
    + b"123456789012\0mysql_native_password\0",
)
OK = b"\0\0\0\2\0\0\0"
END = b"\xfe\0\0\2\0"
COLUMN = b"".join(map(text, [b"def", b"", b"", b"", b"wind", b"wind"]))
COLUMN += b"\x0c" + struct.pack("<HIBHB2x", 45, 40, 0xFD, 0, 0)
RESULT = b"".join(packet(number, each) for number, each in enumerate([b"\1", COLUMN, END, text(b"NW"), END], 1))


def query(words: bytes) -> Script:
    """Return the step that expects a query."""
    return Script().expect(packet(0, b"\3" + words))


def test_pymysql_asks(serve: Serve, pause: float) -> None:
    pymysql = pytest.importorskip("pymysql")

    def rest(message: bytes) -> int:
        return int.from_bytes(message[:3], "little")

    server = serve()
    server.play(
        Script().send(GREETING).expect(PACKET_LENGTH).expect(length=rest).send(packet(2, OK))
        + query(b"SET NAMES utf8mb4").send(packet(1, OK))
        + query(b"SET AUTOCOMMIT = 0").send(packet(1, OK))
        + query(b"SELECT wind").pause(pause).send(RESULT)
        + Script().expect(packet(0, b"\1")).expect_eof()
    )

    client = pymysql.connect(host=server.host, port=server.port, user="me", password="secret", read_timeout=99)
    with client, client.cursor() as cursor:
        cursor.execute("SELECT wind")
        assert cursor.fetchall() == (("NW",),)
