"""Stands in the standard library's place: whoever imports socketserver gets windsock.servers."""

import os
import sys

import windsock.servers

sys.modules[__name__] = windsock.servers

if "CONFORMANCE_MARK" in os.environ:  # says that it was really here
    with open(os.environ["CONFORMANCE_MARK"], "a", encoding="utf-8") as mark:
        mark.write(f"{windsock.servers.__file__}\n")
