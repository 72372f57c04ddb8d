"""Sphinx configuration of the report: MyST-NB pages, the book theme, nothing from the network."""

import sys
from pathlib import Path

import nbformat

from capdec_core import __version__

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

project = "CapDec Book"
author = "the CapDec Book authors"
release = __version__
language = "en"

extensions = ["myst_nb", "mathml", "numbered"]
exclude_patterns = ["static"]
html_math_renderer = "mathml"

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3

nb_execution_mode = "off"
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_output_stderr = "remove"
nb_render_markdown_format = "myst"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "home_page_in_toc": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


banner = HERE / "banner.html"
if banner.is_file() and banner.stat().st_size:
    html_theme_options["announcement"] = banner.read_text()

chapters = [nbformat.read(path, as_version=4).metadata for path in sorted(HERE.glob("[0-9][0-9]_*.ipynb"))]


def _profiles() -> str:
    """Name the profiles with which the chapters were executed, as papermill recorded them."""
    parameters = [metadata.get("papermill", {}).get("parameters", {}) for metadata in chapters]
    names = sorted({str(values["profile"]) for values in parameters if "profile" in values})
    return ", ".join(f"`{name}`" for name in names) or "(none named)"


def _version() -> str:
    """Return the version of which the chapters are: reference results say theirs."""
    return ", ".join(
        sorted({metadata.get("capdec", {}).get("version", __version__) for metadata in chapters})
    )


myst_substitutions = {"profiles": _profiles(), "version": _version()}
