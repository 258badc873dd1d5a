"""Keeps out of the reference what the parts of a connection tell each other.

Senders, receivers, channels and their like are made and told of things by their connection: their constructors, and the
methods for that, are no business of a program.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

INTERNAL = re.compile(r"handle_\w+|adopt_layers|forget_layers|discard_unread|ids|ssrcs_of|all_ssrcs")
"""Members of the classes of ``pystack.peer`` that their connection calls."""
MADE_BY_A_CONNECTION = frozenset(
    f"pystack.peer.{name}" for name in ("DataChannel", "RtcpPort", "RtpReceiver", "RtpSender", "Transceiver")
)


def is_internal(module: str, name: str) -> bool:
    """Tell whether a member of a class in this module is for the connection alone."""
    return module.startswith("pystack.peer.") and INTERNAL.fullmatch(name) is not None


def skip(app: Sphinx, what: str, name: str, found: Any, skipped: bool, options: object) -> bool | None:
    """Leave such a member out; ``None``: as autodoc would."""
    function = found.fget if isinstance(found, property) else found
    return True if is_internal(getattr(function, "__module__", None) or "", name) else None


def sign(app: Sphinx, what: str, name: str, *_: object) -> tuple[str, str] | None:
    """Show no constructor of what a program does not make."""
    return ("", "") if what == "class" and name in MADE_BY_A_CONNECTION else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both."""
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", sign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
