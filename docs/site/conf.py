"""How Sphinx makes the documentation site from the pages: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import docstrings
import navigation
import reference

project = "windsock"
project_copyright = "the windsock maintainers"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["site"]
html_theme = "furo"
html_title = "windsock"
html_show_sphinx = False
html_copy_source = False
pygments_style = "default"
pygments_dark_style = "github-dark"
myst_heading_anchors = 3
default_role = "code"  # docstrings are written like the pages: `name` is code
smartquotes = False  # docstrings have code that is not in backticks
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
toc_object_entries = False  # each page repeats the navigation: with every method in it, that takes a minute


def setup(app: Any) -> None:
    """Have the pages of the reference written first, and the order of the pages taken from index.md."""
    for kind in reference.KINDS:
        app.add_object_type(kind, kind)
    app.connect("builder-inited", lambda app: reference.write(Path(app.srcdir) / "reference"))
    app.connect("autodoc-process-docstring", docstrings.process)
    app.connect("autodoc-skip-member", docstrings.leave_out)
    app.connect("doctree-read", docstrings.keep_builtins)
    app.connect("source-read", navigation.complete)
