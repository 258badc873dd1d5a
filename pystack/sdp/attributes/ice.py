"""ICE in a description: credentials, options, ``a=ice-lite``, candidates (RFC 8839, RFC 8838).

Candidates stay text here: the ICE layer reads them, and an unusable one must not spoil a description.
"""

from __future__ import annotations

from string import ascii_letters, digits
from typing import Final

from pystack.errors import DecodeError

__all__ = ["candidate_text", "parse_options", "parse_pwd", "parse_ufrag"]

_ICE_CHARS: Final = frozenset(ascii_letters + digits + "+/-_")


def parse_ufrag(value: str) -> str:
    """Read ``a=ice-ufrag``: 4 to 256 characters (RFC 8839 5.4)."""
    return _ice_chars(value.strip(), 4)


def parse_pwd(value: str) -> str:
    """Read ``a=ice-pwd``: 22 to 256 characters (RFC 8839 5.4)."""
    return _ice_chars(value.strip(), 22)


def parse_options(value: str) -> tuple[str, ...]:
    """Read ``a=ice-options``: tokens, the unknown ones included (RFC 8839 5.6)."""
    return tuple(value.split())


def candidate_text(text: str) -> str:
    """Return ``text`` as ``candidate:...``, whether or not it came with ``a=`` and with the name."""
    text = text.strip().removeprefix("a=")
    return text if not text or text.startswith("candidate:") else f"candidate:{text}"


def _ice_chars(text: str, minimum: int) -> str:
    if not minimum <= len(text) <= 256:
        raise DecodeError(f"{len(text)} characters, not {minimum} to 256")
    # The grammar has letters, digits, + and /; some deployed stacks draw from URL-safe base64.
    if not _ICE_CHARS.issuperset(text):
        raise DecodeError("other characters than A-Z a-z 0-9 + / - _")
    return text
