"""Lets docstrings name internals: a reference to what is not documented but exists becomes plain code.

The check stays sharp: the name is looked up in the imported package, as given or relative to where it is written, and
one that is not there is a fatal warning as ever.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def find(dotted: str) -> object | None:
    """The module, class, function or attribute of this name; ``None`` if there is none."""
    names = dotted.split(".")
    for count in range(len(names), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(names[:count]))
        except ImportError:
            continue
        for name in names[count:]:
            if hasattr(found, name):
                found = getattr(found, name)
            elif name in getattr(found, "__annotations__", {}) or f"        {name}" in (found.__doc__ or ""):
                return found
            else:
                return None
        return found
    return None


def candidates(module: str, owner: str, target: str) -> list[str]:
    """Where a name written in a docstring may be meant to be."""
    found = [target]
    if module:
        found.append(f"{module}.{target}")
        if owner:
            found.append(f"{module}.{owner}.{target}")
            home = getattr(find(f"{module}.{owner}"), "__module__", None)
            if home is not None:
                found += [f"{home}.{target}", f"{home}.{owner}.{target}"]
    return found


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contents: nodes.TextElement) -> nodes.Node | None:
    """Answer Sphinx' question what a reference without a target is."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].removeprefix("~").removesuffix("()")
    module, owner = node.get("py:module") or "", node.get("py:class") or ""
    for dotted in candidates(module, owner, target):
        top = dotted.partition(".")[0]
        if top in {"pystack", "sfu"} and find(dotted) is not None:
            return contents
    # A function re-exported by its package: its docstring speaks the language of its own module.
    if "." not in target and any(
        name.startswith(("pystack.", "sfu.")) and name.startswith(module) and hasattr(loaded, target)
        for name, loaded in list(sys.modules.items())
    ):
        return contents
    return None


def no_inline_types(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Keep napoleon from reading ``Our credentials: the newest`` in a property as a type and its description."""
    if what in {"attribute", "data", "property"} and lines and ":" in lines[0]:
        lines.insert(0, "\\")  # an escaped line end: nothing, to a reader


def at_home_only(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: object) -> bool | None:
    """Document a name that several packages offer only on the page of the package that makes it."""
    page = app.env.current_document.docname.rpartition("/")[2]
    home = str(getattr(thing, "__module__", "")).split(".")
    elsewhere = what == "module" and home[0] == "pystack" and len(home) > 1 and home[1] != page
    return True if elsewhere and app.env.current_document.docname.startswith("reference/") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register all three."""
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-docstring", no_inline_types, priority=100)
    app.connect("autodoc-skip-member", at_home_only)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
