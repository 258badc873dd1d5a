"""Shows the members of the statistics dictionaries with their types, of which autodoc shows none.

The meanings are in the docstrings, under ``Attributes:``; those that several share are in the docstring of their base.
A member without a meaning, and a meaning without a member, end the build.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, ForwardRef, is_typeddict

from sphinx.application import Sphinx
from sphinx.util import logging

from pystack.peer import dictionaries

LOGGER = logging.getLogger(__name__)
BASES = (dictionaries._Any, dictionaries._Stream)


def meanings(docstring: str) -> dict[str, str]:
    """What is said of each member under ``Attributes:``."""
    told = docstring.partition("Attributes:\n")[2]
    return dict(re.findall(r"^    (\w+): (.*(?:\n        .*)*)", told, re.MULTILINE))


def type_text(kind: Any) -> str:
    """The type as it is written; ``optional`` for a member that may be left out."""
    text = kind.__forward_arg__ if isinstance(kind, ForwardRef) else str(kind)
    inner = re.fullmatch(r"NotRequired\[(.*)\]", text)
    text = f"{inner[1]}, optional" if inner else text
    return "str" if text.startswith("Literal[") else text


def members(dictionary: type) -> dict[str, tuple[str, str]]:
    """Type and meaning of each member, in order.

    Raises:
        ValueError: something is missing, or too much.
    """
    shared: dict[str, str] = {}
    for base in BASES:
        shared |= meanings(inspect.getdoc(base) or "")
    own = meanings(inspect.getdoc(dictionary) or "")
    kinds: Mapping[str, Any] = dictionary.__annotations__
    strangers, silent = own.keys() - kinds.keys(), kinds.keys() - own.keys() - shared.keys()
    if strangers or silent:
        raise ValueError(f"{dictionary.__name__}: no such members: {sorted(strangers)}; no meaning: {sorted(silent)}")
    return {name: (type_text(kind), own.get(name) or shared[name]) for name, kind in kinds.items()}


def show(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Put the members below the first paragraphs, before Napoleon reads the docstring."""
    if what != "class" or not is_typeddict(found) or getattr(found, "__module__", "") != dictionaries.__name__:
        return
    try:
        listed = members(found)  # type: ignore[arg-type]
    except ValueError as error:
        LOGGER.warning("%s", error)
        return
    if "Attributes:" in lines:
        del lines[lines.index("Attributes:") :]
    for member, (kind, meaning) in listed.items():
        lines += [f":ivar {member}: {' '.join(meaning.split())}", f":vartype {member}: {kind}"]
    lines.append("")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register it, before Napoleon."""
    app.connect("autodoc-process-docstring", show, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
