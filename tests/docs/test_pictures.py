"""Pictures are text, made from text."""

from __future__ import annotations

import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest
from docs import failure_svg, traffic_page_png

DOCS = Path(__file__).parents[2] / "docs"


def test_the_picture_of_the_relay_is_what_its_script_makes() -> None:
    made = runpy.run_path(str(DOCS / "relay_svg.py"))["picture"]()

    assert (DOCS / "relay.svg").read_text() == made


def test_its_parts_lie_within_it() -> None:
    root = ElementTree.parse(DOCS / "relay.svg").getroot()
    width, height = (float(root.attrib[name]) for name in ("width", "height"))

    boxes = [each.attrib for each in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(boxes) == 6
    for each in boxes:
        assert float(each.get("x", 0)) + float(each["width"]) <= width
        assert float(each.get("y", 0)) + float(each["height"]) <= height


@pytest.mark.skipif(pytest.version_tuple < (8, 4), reason="an earlier pytest words the report in another way")
def test_the_picture_of_a_failure_shows_what_a_run_of_the_test_prints(tmp_path: Path) -> None:
    made = failure_svg.picture(failure_svg.report(tmp_path))

    assert failure_svg.PICTURE.read_text() == made, "make screenshots"


def test_the_picture_of_the_traffic_page_is_of_the_page_as_it_is() -> None:
    made_of = traffic_page_png.PICTURE.read_bytes().partition(traffic_page_png.KEYWORD)[2]

    assert made_of[:64] == traffic_page_png.source(), "make screenshots"
