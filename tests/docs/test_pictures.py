"""Pictures are text, made from text."""

from __future__ import annotations

import runpy
from pathlib import Path
from xml.etree import ElementTree

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
