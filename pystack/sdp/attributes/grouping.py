"""What belongs together: ``a=mid``, ``a=group`` (RFC 5888). BUNDLE's own rules (RFC 8843) are in ``jsep``."""

from __future__ import annotations

import attrs

from pystack.errors import DecodeError

__all__ = ["Group", "parse_mid"]


@attrs.frozen
class Group:
    """``a=group:<semantics> <mid>...``."""

    semantics: str
    mids: tuple[str, ...]

    @classmethod
    def parse(cls, value: str) -> Group:
        """Read the value; :class:`DecodeError` if it is not one."""
        semantics, *mids = value.split() or [""]
        if not semantics:
            raise DecodeError("no semantics")
        return cls(semantics, tuple(mids))

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        return " ".join((self.semantics, *self.mids))


def parse_mid(value: str) -> str:
    """Read ``a=mid``; :class:`DecodeError` if it is empty or has a space."""
    mid = value.strip()
    if not mid or " " in mid or len(mid) > 255:
        raise DecodeError(f"{mid[:30]!r} is not a token")
    return mid
