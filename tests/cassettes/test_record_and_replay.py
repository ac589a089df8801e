"""A conversation with a real server, recorded and replayed, over every transport."""

from __future__ import annotations

from pathlib import Path

import windsock
from tests.cassettes.helpers import cassette, recorded, talk, without_times
from tests.support.servers import on_every_transport
from windsock import Script
from windsock.faults import Reset

PING = {b"PING": b"+PONG\n", b"TIME": b"12:00\n"}


@on_every_transport
def test_a_replay_answers_as_the_real_server_did(tmp_path: Path, transport: str) -> None:
    end = b"\n" if transport in ("tcp", "unix_stream") else b""
    do = talk((b"PING" + end, b"+PONG\n"), (b"TIME" + end, b"12:00\n"), transport=transport)
    recorded(tmp_path / "a.txt", PING, do, transport=transport)

    with windsock.replay(tmp_path / "a.txt") as server:
        do(server.address)

    assert server.options.transport == transport


def test_the_file_can_be_read_and_each_message_is_a_line(tmp_path: Path) -> None:
    text = recorded(tmp_path / "a.txt", PING, talk((b"PING\n", b"+PONG\n"), (b"TIME\n", b"12:00\n")))

    assert text.splitlines()[:4] == ["windsock cassette 1", "transport: tcp", "framing: lines", ""]
    assert without_times(text)[:5] == ["1 opened", r"1 > PING\n", r"1 < +PONG\n", r"1 > TIME\n", r"1 < 12:00\n"]
    assert text.splitlines()[-1] == "end"


def test_connections_that_were_open_at_once_are_interleaved(tmp_path: Path) -> None:
    def do(address: object) -> None:
        with windsock.scripted_client(address) as one, windsock.scripted_client(address) as two:
            one.send(b"PING\n").expect(b"+PONG\n")
            two.send(b"TIME\n").expect(b"12:00\n")
            one.send(b"TIME\n").expect(b"12:00\n")

    server_rules = {b"PING": b"+PONG\n", b"TIME": b"12:00\n"}
    text = recorded(tmp_path / "a.txt", server_rules, do)
    said = [line for line in without_times(text) if "<" in line or ">" in line]

    assert [line[:3] for line in said] == ["1 >", "1 <", "2 >", "2 <", "1 >", "1 <"]
    with windsock.replay(tmp_path / "a.txt") as server:
        do(server.address)


def test_binary_data_is_in_hexadecimal_digits(tmp_path: Path) -> None:
    message, reply = b"\x00\x01\xfe\n", b"\xff\x00\x00\n"

    text = recorded(tmp_path / "a.txt", {message: reply}, talk((message, reply)))

    assert without_times(text)[1:3] == ["1 >x 0001fe0a", "1 <x ff00000a"]
    with windsock.replay(tmp_path / "a.txt") as server:
        talk((message, reply))(server.address)


def test_without_framing_a_line_has_what_one_side_sent_before_the_other_did(tmp_path: Path) -> None:
    text = recorded(tmp_path / "a.txt", PING, talk((b"PING\n", b"+PONG\n")), framing=None)

    assert "framing: none" in text
    with windsock.replay(tmp_path / "a.txt") as server, windsock.scripted_client(server.address) as client:
        client.send(b"PI").send(b"NG\n").expect(b"+PONG\n")


def test_a_half_close_and_the_reply_to_it_are_replayed(tmp_path: Path) -> None:
    def do(address: object) -> None:
        with windsock.scripted_client(address) as client:
            client.send(b"all of it").half_close().expect(b"thanks").expect_eof()

    with windsock.serving(framing="eof") as server:
        server.on(b"all of it").reply(b"thanks")
        with windsock.record(server.address, tmp_path / "a.txt", framing="eof") as real:
            do(real.address)

    assert without_times((tmp_path / "a.txt").read_text()) == [
        "1 opened",
        "1 > all of it",
        "1 client eof",
        "1 < thanks",
        "1 server eof",
    ]
    with windsock.replay(tmp_path / "a.txt") as server:
        do(server.address)


def test_a_reply_that_begins_before_the_client_ends_its_stream_does_so_in_the_replay(tmp_path: Path) -> None:
    def do(address: object) -> None:
        with windsock.scripted_client(address) as client:
            client.send(b"GO\n").expect(b"first, ").half_close().expect(b"second\n").expect_eof()

    with windsock.serving(framing="lines") as server:
        server.play(Script().expect(b"GO\n").send(b"first, ").expect_eof().send(b"second\n"))
        with windsock.record(server.address, tmp_path / "a.txt", framing="lines") as real:
            do(real.address)

    lines = without_times((tmp_path / "a.txt").read_text())
    assert lines[1:] == [r"1 > GO\n", r"1 < first,\x20", "1 client eof", r"1 < second\n", "1 server eof"]
    with windsock.replay(tmp_path / "a.txt") as server:
        do(server.address)


def test_a_reset_of_the_server_is_replayed(tmp_path: Path) -> None:
    def do(address: object) -> None:
        with windsock.scripted_client(address) as client:
            client.send(b"PING\n").expect_reset()

    with windsock.serving(framing="lines") as server:
        server.on(b"PING").play(Script().reset())
        with windsock.record(server.address, tmp_path / "a.txt", framing="lines") as real:
            do(real.address)

    assert "1 server reset" in without_times((tmp_path / "a.txt").read_text())
    with windsock.replay(tmp_path / "a.txt") as server:
        do(server.address)


def test_a_server_that_could_not_be_reached_resets_the_client_again(tmp_path: Path) -> None:
    def do(address: object) -> None:
        with windsock.scripted_client(address) as client:
            client.expect_reset()

    with windsock.serving() as server, server.outage(), windsock.record(server.address, tmp_path / "a.txt") as real:
        do(real.address)

    assert without_times((tmp_path / "a.txt").read_text()) == ["1 opened", "1 refused: Connection refused"]
    with windsock.replay(tmp_path / "a.txt") as server:
        do(server.address)


def test_a_connection_that_stays_open_ends_with_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"+PONG\n")
        with windsock.record(server.address, path, framing="lines") as real:
            client = windsock.scripted_client(real.address)
            client.send(b"PING\n").expect(b"+PONG\n")
        client.close()

    assert without_times(path.read_text())[-1] == "1 silence"
    with windsock.replay(path) as server:
        talk((b"PING\n", b"+PONG\n"))(server.address)


def test_a_server_that_speaks_first_does_so_in_the_replay(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 < 220 hello\n", r"1 > QUIT\n", r"1 < 221 bye\n", "1 server eof")

    with windsock.replay(path) as server, windsock.scripted_client(server.address) as client:
        client.expect(b"220 hello\n").send(b"QUIT\n").expect(b"221 bye\n").expect_eof()


def test_faults_are_laid_over_a_replay(tmp_path: Path) -> None:
    path = cassette(tmp_path / "a.txt", "1 opened", r"1 > PING\n", r"1 < +PONG\n")

    with windsock.replay(path) as server:
        fault = server.fault(Reset(after_bytes=3), direction="downstream")
        with windsock.scripted_client(server.address) as client:
            client.send(b"PING\n").expect(b"+PO").expect_reset()

    assert fault.fired == 1


def test_a_replay_needs_no_server(tmp_path: Path) -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"PING").reply(b"+PONG\n")
        with windsock.record(server.address, tmp_path / "a.txt", framing="lines") as real:
            talk((b"PING\n", b"+PONG\n"))(real.address)
        recorded_by = len(server.connections)

        with windsock.replay(tmp_path / "a.txt") as fake:
            talk((b"PING\n", b"+PONG\n"))(fake.address)

        assert len(server.connections) == recorded_by == 1
