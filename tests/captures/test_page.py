"""The page as a file: what it holds, how much of it, and between whom."""

from __future__ import annotations

import base64
import json
import pickle
import re
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.captures.recorded import Recording, Tea, tea_behind_a_proxy
from tests.support.waiting import DEADLINE, wait_until
from windsock import proxy, serving
from windsock.captures.page import write_page
from windsock.captures.page_events import KEPT, MOST_EVENTS, PageEvent, bounded, within_budget
from windsock.captures.page_lanes import PageSubject
from windsock.faults import Drop, Refuse
from windsock.recording.events import Kind
from windsock.security.handshake_info import HandshakeFailure, TLSHandshake

DATA, SIZE, TEXT, KIND, CONNECTION = 6, 5, 4, 2, 1


def written(path: Path, *subjects: PageSubject, findings: tuple[str, ...] = ()) -> dict[str, Any]:
    """Write a page and return what its script reads."""
    write_page(path, "a test", subjects, findings)
    found = re.search(r'<script type="application/json" id="traffic">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found is not None
    result: dict[str, Any] = json.loads(found[1])
    return result


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def test_a_proxys_own_connection_does_not_look_like_a_clients(page: Path) -> None:
    with tea_behind_a_proxy() as subjects:
        traffic = written(page, *subjects)

    between = {each[0]: (traffic["lanes"][each[1]][1], traffic["lanes"][each[2]][1]) for each in traffic["connections"]}
    assert between == {"edge #0": ("client 1", "edge"), "shop #0": ("edge", "shop"), "shop #1": ("client 2", "shop")}


@pytest.mark.parametrize("transport", ["udp", "unix_stream", "unix_datagram"])
def test_it_is_known_on_other_transports_too(page: Path, transport: str) -> None:
    with (
        serving(transport=transport, name="shop") as shop,
        proxy(shop.address, transport=transport, name="edge") as edge,
    ):
        shop.echo()
        family = socket.AF_INET if transport == "udp" else socket.AF_UNIX
        with socket.socket(family, socket.SOCK_STREAM if "stream" in transport else socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE)
            if transport == "unix_datagram":
                client.bind("")
            client.connect(edge.address)
            client.send(b"tea")
            assert client.recv(10) == b"tea"
        traffic = written(page, shop, edge)

    between = {each[0]: (traffic["lanes"][each[1]][1], traffic["lanes"][each[2]][1]) for each in traffic["connections"]}
    assert between == {"edge #0": ("client 1", "edge"), "shop #0": ("edge", "shop")}


def test_a_program_behind_a_proxy_has_a_lane(page: Path) -> None:
    with serving(Tea, name="shop") as shop, proxy(shop.address, name="edge") as edge:
        with socket.create_connection(edge.address, DEADLINE) as client:
            client.sendall(b"tea\n")
            assert client.recv(10) == b"TEA\n"
        traffic = written(page, edge)

    assert [lane[:2] for lane in traffic["lanes"]] == [
        ["client", "client 1"],
        ["proxy", "edge"],
        ["program", "behind edge"],
    ]
    assert traffic["connections"][0][1:4] == [0, 2, 1]


def test_firings_without_a_connection_are_on_the_subjects_lane(page: Path) -> None:
    with serving(Tea, name="shop") as shop, shop.fault(Refuse()):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(shop.address, DEADLINE)
        traffic = written(page, shop)

    (event,) = traffic["events"]
    assert (event[CONNECTION], event[KIND], event[TEXT]) == (-1, "fault", "Refuse(): the listener is shut")


def test_faults_on_datagrams_are_shown(page: Path) -> None:
    with serving(transport="udp", name="shop", relay=True) as shop, shop.fault(Drop(1)) as fault:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"tea", shop.address)
        wait_until(lambda: fault.fired == 1)
        traffic = written(page, shop)

    assert [each[KIND] for each in traffic["events"]] == ["fault"]


def test_a_chunk_is_bounded(page: Path) -> None:
    recording = Recording()
    recording.exchange((Kind.UP, b"x" * 100_000))

    traffic = written(page, recording)

    data = [each for each in traffic["events"] if each[KIND] == "data"]
    assert sum(each[SIZE] for each in data) == 100_000
    assert all(len(base64.b64decode(each[DATA])) <= KEPT for each in data)


def test_many_chunks_share_a_budget() -> None:
    events = [PageEvent(0.0, 0, "data", "up", "", KEPT, bytes(KEPT))] * 1000

    kept = within_budget(events, 1_000_000)

    assert {len(each.data) for each in kept} == {512}
    assert {each.size for each in kept} == {KEPT}


def test_the_middle_of_very_many_events_is_left_out() -> None:
    events = [PageEvent(float(n), 0, "note") for n in range(100)]

    kept, place, left_out = bounded(iter(events), most=10)

    assert kept == [*events[:5], *events[-5:]]
    assert (place, left_out) == (5, 90)


def test_nothing_is_left_out_of_as_many_as_there_may_be() -> None:
    events = [PageEvent(float(n), 0, "note") for n in range(10)]

    assert bounded(iter(events), most=10) == (events, 5, 0)
    assert bounded(iter([])) == ([], 0, 0)


def test_a_connection_of_which_nothing_is_shown_is_left_out_too(page: Path) -> None:
    recording = Recording()
    for number in range(MOST_EVENTS // 2 + 2):
        recording.exchange((Kind.UP, b"%d" % number))

    traffic = written(page, recording)

    assert len(traffic["events"]) == MOST_EVENTS
    assert 0 < traffic["leftOut"][1] < 2 * MOST_EVENTS
    assert len(traffic["connections"]) < MOST_EVENTS // 2
    label = traffic["connections"][traffic["events"][-1][CONNECTION]][0]
    assert label == f"shop #{MOST_EVENTS // 2 + 1}"


def test_ten_thousand_large_events_make_a_file_of_less_than_20_mb(page: Path) -> None:
    recording = Recording()
    for number in range(100):
        recording.exchange(*[(Kind.UP, bytes([number]) * 5000), (Kind.DOWN, b"\x00" * 5000)] * 25)
        recording.exchange(*[(Kind.UP, b"<" * 5000), (Kind.DOWN, b"&" * 5000)] * 25)

    traffic = written(page, recording)

    assert 10_000 <= len(traffic["events"]) <= MOST_EVENTS
    assert page.stat().st_size < 20_000_000


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (Kind.CLIENT_EOF, b"", ["fin", "up", "FIN (client half-close or close)"]),
        (Kind.CLIENT_EOF, b"truncated", ["fin", "up", "FIN, TLS truncated (no close_notify)"]),
        (Kind.HALF_CLOSE, b"", ["fin", "down", "FIN (server half-close)"]),
        (Kind.CLIENT_RESET, b"", ["failed", "up", "RST (client reset)"]),
        (Kind.SERVER_RESET, b"Broken pipe", ["failed", "down", "RST (server reset): Broken pipe"]),
        (Kind.TIMEOUT, b"", ["timeout", "", "timed out waiting for the client"]),
        (Kind.REFUSED, b"not from here", ["failed", "down", "refused: not from here"]),
        (Kind.TLS_ALERT, b"bad_certificate", ["failed", "up", "TLS alert: bad_certificate"]),
        (Kind.TLS, pickle.dumps(TLSHandshake(version="TLSv1.3", cipher="X")), ["tls", "", "TLSv1.3, X"]),
        (
            Kind.TLS,
            pickle.dumps(TLSHandshake(failure=HandshakeFailure.TIMEOUT)),
            ["failed", "", "TLS handshake failed: timeout"],
        ),
        (Kind.FAULT, b"Reset(): happens", ["fault", "", "Reset(): happens"]),
        (Kind.SCRIPT, b"script 1: failed at step 1\nmore", ["failed", "", "script 1: failed at step 1"]),
    ],
)
def test_endings_and_results_are_shown(page: Path, kind: int, data: bytes, expected: list[str]) -> None:
    recording = Recording()
    recording.exchange((kind, data))

    event = written(page, recording)["events"][1]

    assert event[2:5] == expected


def test_how_a_connection_ended_is_shown_last(page: Path) -> None:
    recording = Recording()
    recording.exchange((Kind.UP, b"x"))
    recording.exchange((Kind.CLIENT_RESET, b""))

    ends = [each[2:5] for each in written(page, recording)["events"] if each[TEXT].startswith("ended")]

    assert ends == [["end", "", "ended: server close"], ["failed", "", "ended: client reset"]]


@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting", "trio"])
def test_a_stopped_server_has_a_page_too(page: Path, concurrency: str) -> None:
    with serving(Tea, concurrency=concurrency, name="shop", strict=False) as shop, shop.connect() as client:
        client.send(b"divide 0\n").expect_eof()

    events = written(page, shop)["events"]

    (error,) = [each for each in events if each[KIND] == "error"]
    assert error[TEXT] == "handler error: ZeroDivisionError: integer division or modulo by zero"
    assert "self.wfile.write" in error[-1]
    assert "finish_request" not in error[-1]


def test_it_is_written_past_a_fake_file_system(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = pytest.importorskip("pyfakefs.fake_filesystem_unittest")
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)  # which pyfakefs forgets
    with fake.Patcher():
        write_page(page, "a test", [Recording()])

    assert "a test" in page.read_text()


def test_a_test_without_traffic_has_a_page(page: Path) -> None:
    assert written(page, Recording())["events"] == []
    assert written(page)["lanes"] == []


def test_a_page_replaces_an_older_one(page: Path) -> None:
    page.write_text("(old) " * 100_000)

    written(page, Recording())

    assert "(old)" not in page.read_text()


def test_an_error_with_a_broken_text_is_shown(page: Path) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError

    recording = Recording()
    connection = recording.recorder.open(None)
    recording.recorder.failed(connection, Broken("\ud800"))

    (_, event) = written(page, recording)["events"]
    assert event[TEXT] == "handler error: Broken: Broken('\\ud800')"
