"""The docs site: ``poe docs`` builds it from the lessons, the pages beside them and the docstrings."""

from importlib.metadata import version as _version

project = "Realtime NB"
copyright = "the Realtime NB authors, BSD-3-Clause"
version = release = _version("realtime-nb")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc"]
exclude_patterns = ["**.ipynb_checkpoints", "_build"]
suppress_warnings = [
    "mystnb.unknown_mime_type",  # a live widget has no place on a page; its static form is the output after it
    "misc.highlighting_failure",  # lessons have magics, which are no Python
]

# The lessons keep the outputs they were run with; nbval holds them to it.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"Realtime NB {version}"
html_theme_options = {"navigation_with_keys": True}
