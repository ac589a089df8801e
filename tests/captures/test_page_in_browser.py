"""The page in a browser: what is drawn, clicked, filtered and printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.captures.chromium import Tab
from tests.captures.recorded import Recording, tea_behind_a_proxy
from windsock import RunningServer
from windsock.proxies.proxy import FaultProxy
from windsock.recording.events import Kind

View = Callable[..., Tab]
Subjects = tuple[RunningServer, FaultProxy]


@pytest.fixture(scope="module")
def subjects() -> Iterator[Subjects]:
    with tea_behind_a_proxy() as found:
        yield found


def test_a_lane_stands_for_each_peer(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    assert tab.texts(".lane b") == ["client 1", "client 2", "edge", "shop"]
    assert tab.complaints() == []


def test_nothing_is_loaded_from_anywhere_else(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    assert len(tab.requests()) == 1


def test_findings_are_on_top(view: View, subjects: Subjects) -> None:
    tab = view(*subjects, findings=["The proxy reset <edge #0>.", "No retry."])

    assert tab.texts(".findings li") == ["The proxy reset <edge #0>.", "No retry."]
    assert tab.run("document.querySelector('.findings').getBoundingClientRect().top") < 100


def test_a_click_shows_the_bytes(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    tab.click(".row", "10,240 B")
    tab.settle()

    assert "10,240 B downstream" in tab.text("#detail h2")
    assert tab.text("#detail pre").splitlines()[4] == (
        "000040  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO"
    )
    assert "6,144 B more" in tab.text("#detail .more")
    assert tab.complaints() == []


def test_the_pointer_shows_the_first_bytes(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    x, y = tab.run("(({x, y}) => [x + 150, y + 9])(document.querySelector('.row code').getBoundingClientRect())")
    tab.move(x, y)
    tab.settle()

    assert "67 72 65 65 6e 20 74 65  61 0a" in tab.text("#tip")


def test_one_connection_is_picked(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    tab.run("onlyConnection(traffic.connections.findIndex((each) => each[0] === 'shop #1'))")
    tab.settle()

    assert set(tab.texts(".row .tag")) == {"shop #1"}
    assert tab.texts(".lane b") == ["client 2", "shop"]
    assert "of" in tab.text("#count")


def test_one_direction_is_picked(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    tab.click("#direction label", "downstream")
    tab.settle()

    assert tab.run("shown.every((each) => each.direction !== 'up')")
    assert "GREEN TEA\\n" in tab.texts(".row code")
    assert "green tea\\n" not in tab.texts(".row code")


def test_faults_and_failures_stand_out(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    tab.click("label.check", "Faults and failures only")
    tab.settle()

    words = " ".join(tab.texts(".row .text"))
    assert "Reset(4) downstream" in words
    assert "handler error: ZeroDivisionError" in words
    fault, plain = (
        tab.run(f"getComputedStyle(document.querySelector('{each}')).backgroundColor")
        for each in (".row.fault", "body")
    )
    assert fault != plain


def test_bytes_and_words_are_found(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    tab.press("/")
    for each in "divide":
        tab.press(each)
    tab.settle()

    assert tab.texts(".row code") == ["divide 0\\n"]


def test_the_keyboard_is_enough(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    tab.press("ArrowDown")
    tab.press("ArrowDown")
    second = tab.text("[aria-selected=true]")
    tab.press("!")
    alarm = tab.run("events[state.chosen].kind")
    tab.press("c")
    label = tab.run("labelOf(events[state.chosen])")
    tab.settle()

    assert "connects" in second or "B" in second
    assert alarm in ("fault", "failed", "error")
    assert set(tab.texts(".row .tag")) == {label}
    assert tab.run("document.getElementById('scroller').getAttribute('aria-activedescendant')").startswith("event-")
    tab.press("Escape")
    tab.press("Escape")
    assert tab.texts("#detail *") == []
    assert tab.run("shown.length === events.length")


def test_the_zoom_goes_from_seconds_to_microseconds(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)
    scales = []

    for key in "-+":
        for _ in range(20):
            tab.press(key)
        scales.append(tab.text("#zoom"))

    assert scales == ["line = 10 s", "line = 1 µs"]
    assert tab.complaints() == []


def test_a_crowd_of_events_is_one_arrow_until_it_is_zoomed_into(view: View) -> None:
    recording = Recording()
    recording.exchange(*[(Kind.UP, b"x"), (Kind.DOWN, b"yz")] * 300)

    tab = view(recording)
    tab.press("-")
    crowded = tab.run("rows.map((row) => row.group.length)")
    words = tab.texts(".row .tag")
    for _ in range(20):
        tab.press("+")
    single = tab.run("rows.filter((row) => row.event).map((row) => row.group.length)")

    assert max(crowded) > 20
    assert any(each.startswith("\N{MULTIPLICATION SIGN} ") for each in words)
    assert len(single) > len(crowded)


def test_only_what_can_be_seen_is_drawn(view: View) -> None:
    recording = Recording()
    for _ in range(500):
        recording.exchange((Kind.UP, b"x" * 100), (Kind.DOWN, b"y" * 100))

    tab = view(recording)
    tab.run("state.zoom = UNITS.length - 1, show()")
    tab.run("scroller.scrollTop = 1e9")
    tab.settle()

    assert tab.run("events.length") == 2000
    assert tab.run("document.querySelectorAll('.row').length") < 120
    assert "ended: server close" in tab.texts(".row .text")


def test_a_page_of_nothing_can_be_used(view: View) -> None:
    tab = view(Recording())

    for key in ["ArrowDown", "!", "+", "0", "c", "Escape"]:
        tab.press(key)

    assert tab.text("#count") == "0 events"
    assert tab.complaints() == []


def test_a_filter_may_leave_nothing(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    tab.run("filter({find: 'no such words'})")
    tab.press("ArrowDown")

    assert tab.texts(".row") == []
    assert tab.text("#count").startswith("0 of ")
    assert tab.complaints() == []


def test_what_is_left_out_is_said(view: View) -> None:
    recording = Recording()
    recording.exchange(*[(Kind.UP, b"x")] * 20_100)

    tab = view(recording)
    tab.run("state.zoom = UNITS.length - 1, show(), scroller.scrollTop = rows.find((row) => row.isCut).y - 100")
    tab.settle()

    assert tab.texts(".gap.cut") == ["102 events are left out here"]
    assert "102 events left out" in tab.text(".summary")


def test_without_javascript_it_is_a_table(view: View, subjects: Subjects) -> None:
    tab = view(*subjects, scripts=False, findings=["The proxy reset it."])

    assert tab.run("getComputedStyle(document.getElementById('app')).display") == "none"
    rows = tab.texts(".events tbody tr")
    assert any("green tea\\n" in each for each in rows)
    assert any("handler error: ZeroDivisionError" in each for each in rows)
    assert "client reset" in "".join(tab.texts(".connections td"))
    assert tab.texts(".findings li") == ["The proxy reset it."]


def test_it_is_dark_where_the_reader_likes_it_dark(view: View, subjects: Subjects) -> None:
    light, dark = view(*subjects), view(*subjects, dark=True)

    colours = [tab.run("getComputedStyle(document.body).backgroundColor") for tab in (light, dark)]

    assert colours == ["rgb(255, 255, 255)", "rgb(17, 22, 29)"]


def test_paper_gets_the_table(view: View, subjects: Subjects) -> None:
    tab = view(*subjects)

    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.run("dispatchEvent(new Event('beforeprint'))")

    assert tab.run("getComputedStyle(document.getElementById('app')).display") == "none"
    assert any("green tea\\n" in each for each in tab.texts("#printed td"))
    assert tab.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("scripts", [True, False])
def test_hostile_bytes_are_only_shown(view: View, scripts: bool) -> None:
    recording = Recording("</script><script>document.title='taken'</script>\ud800\x1b[31m\u202e")
    hostile = b"</script></noscript><script>document.title='taken'</script><!-- <img src=x onerror=alert(1)>"
    recording.exchange((Kind.UP, hostile), (Kind.NOTE, hostile), (Kind.DOWN, bytes(range(256))))

    tab = view(recording, findings=[hostile.decode(), "\ud800\x00\x1b]0;taken\x07"], scripts=scripts)

    assert tab.run("document.title") == "test_shop.py::test_tea"
    assert tab.run("document.querySelectorAll('img').length") == 0
    assert tab.texts(".findings li") == [hostile.decode(), "\\ud800\\x00\\x1b]0;taken\\x07"]
    assert hostile.decode() in "".join(tab.texts(".row code" if scripts else ".events td"))
    assert tab.complaints() == []
