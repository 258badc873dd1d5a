"""Sees to it that the reference is whole: every public name of every package is on its page, or the build fails.

Constants and type names that a package re-exports have their docstring as a string below the assignment in the module
that makes them, where autodoc does not look: ``public-values`` does.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

ROOT = Path(__file__).resolve().parents[2]
LOGGER = logging.getLogger(__name__)
PACKAGES = sorted(path.parent.name for path in (ROOT / "pystack").glob("*/__init__.py"))
ONLY_AT_HOME = frozenset({"CodecCapability", "ExtensionCapability", "IceState"})
"""Offered by a package for convenience, and documented under another one's name."""


def tree_of(module: str) -> ast.Module | None:
    """The source of a module of ours; ``None`` if it is none."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text()) if path.is_file() else None


def told_of_value(module: str, name: str) -> str | None:
    """The docstring of a constant or a type name, followed through imports; ``None`` for a class or a function."""
    tree = tree_of(module)
    if tree is None:
        return None
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            told = following.value if isinstance(following, ast.Expr) else None
            return str(told.value) if isinstance(told, ast.Constant) else None
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return told_of_value(node.module or "", alias.name)
    return None


def values_of(package: str) -> list[tuple[str, str]]:
    """The constants and type names that a package makes and offers, with their docstrings."""
    tree = tree_of(package)
    assert tree is not None
    own = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package + ".")
        for alias in node.names
    }
    names = [name for name in importlib.import_module(package).__all__ if name in own]
    return [(name, told) for name in names if (told := told_of_value(package, name)) is not None]


class PublicValues(SphinxDirective):
    """``.. public-values:: pystack.rtp``: one entry each, where autodoc has none."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the entries, and have them read."""
        package = self.arguments[0]
        module = importlib.import_module(package)
        lines = StringList()
        for name, told in values_of(package):
            value = getattr(module, name)
            lines.append(f".. py:data:: {name}", package)
            lines.append(f"   :module: {package}", package)
            if isinstance(value, (int, str)):
                lines.append(f"   :value: {value!r}", package)
            for line in ["", *told.splitlines(), ""]:
                lines.append(f"   {line}" if line else "", package)
        place = nodes.section()
        place.document = self.state.document
        nested_parse_with_titles(self.state, lines, place)
        return place.children


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Every public name has its place."""
    found = {name.rpartition(".")[2] for name in env.domains.python_domain.objects}
    for package in PACKAGES:
        names = set(importlib.import_module(f"pystack.{package}").__all__)
        for name in sorted(names - found - ONLY_AT_HOME):
            LOGGER.warning("pystack.%s.%s is public and not in the reference", package, name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register all."""
    app.add_directive("public-values", PublicValues)
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
