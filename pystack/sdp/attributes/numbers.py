"""Numbers in attribute values: decimal ASCII digits within a range, and nothing else. Called by the families."""

from __future__ import annotations

from pystack.errors import DecodeError

__all__ = ["number"]


def number(text: str, what: str, maximum: int, minimum: int = 0) -> int:
    """Read ``text`` as an integer between ``minimum`` and ``maximum``; :class:`DecodeError` says ``what`` it is not.

    Python's ``int`` would also take signs, spaces, underscores and other scripts' digits, and choke on long ones.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 20) or not minimum <= int(text) <= maximum:
        raise DecodeError(f"{text[:30]!r} is not {what}")
    return int(text)
