"""Figures and tables that a notebook displays as HTML become targets that prose can refer to.

`capdec_core.gallery` writes `<figure id="fig-…" data-label="Figure 2.1">`. Here each such id is registered as a
label, so `[](#fig-…)` reads "Figure 2.1", and a reference to a figure that does not exist fails the build.
"""

import re
from typing import cast

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain

FIGURE = re.compile(r'<figure id="([^"]+)" [^>]*data-label="([^"]+)"')


def _register(app: Sphinx, doctree: nodes.document) -> None:
    domain = cast(StandardDomain, app.env.get_domain("std"))
    page = app.env.current_document.docname
    for raw in doctree.findall(nodes.raw):
        for name, label in FIGURE.findall(raw.astext()):
            domain.labels[name] = (page, name, label)
            domain.anonlabels[name] = (page, name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the labels once a page has been read."""
    app.connect("doctree-read", _register)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
