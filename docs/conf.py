"""How the documentation is built: ``make docs``, with every warning fatal."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]

import pystack  # noqa: E402

project = "pystack"
author = "the pystack authors"
project_copyright = "the pystack authors, Apache-2.0"
version = release = pystack.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "existing_names",
    "public_side",
    "statistics_members",
    "state_tables",
    "whole_reference",
]
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"pystack {release}"
html_show_sourcelink = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": False}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# A name that is not found is an error, with these exceptions:
nitpick_ignore_regex = [
    # Names of Python and of other projects: no inventory is fetched while building.
    (r"py:.*", r"(?!pystack|sfu)[\w.]+\.[\w.]+"),
    (r"py:.*", r"(int|str|bytes|bool|float|list|dict|tuple|set|frozenset|object|None|type|Ellipsis|\.\.\.)"),
    (r"py:exc", r"[A-Z]\w*Error"),
    (r"py:.*", r"(inf|optional|Any|Callable|Iterable|Iterator|Sequence|Mapping|Hashable|Self|Literal|Protocol|Enum)"),
    # Type variables and private types that show up in signatures.
    (r"py:.*", r"(.*\.)?[A-Z]"),
    (r"py:.*", r"(.*\.)?_\w+"),
]
suppress_warnings = ["config.cache"]
