"""The short-term credentials of one ICE generation (RFC 8445 section 5.3, RFC 8839 section 5.4).

Ours have a user fragment of 8 characters (48 bits), because on a shared port it is what finds the session, and a
password of 24 (144 bits). The peer's may be as short as RFC 8839 allows. Called by the transports in
:mod:`pystack.aio`.
"""

from __future__ import annotations

import re
from typing import Self

import attrs

from pystack.base import Randomness
from pystack.errors import InvalidArgument

__all__ = ["Credentials", "make_credentials"]

_ICE_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_UFRAG = re.compile(r"[A-Za-z0-9+/_-]{4,256}", re.ASCII)
_PWD = re.compile(r"[A-Za-z0-9+/_-]{22,256}", re.ASCII)


@attrs.frozen
class Credentials:
    """A user fragment and its password, both of ice-chars."""

    ufrag: str
    pwd: str = attrs.field(repr=False)

    @classmethod
    def checked(cls, ufrag: str, pwd: str) -> Self:
        """Take what a peer's description says.

        Beside the ice-chars of RFC 8839 section 5.4, ``-`` and ``_`` are taken: some peers draw from URL-safe base64.

        Raises:
            InvalidArgument: the fragment is not 4 to 256 such characters, or the password not 22 to 256.
        """
        if _UFRAG.fullmatch(ufrag) is None:
            raise InvalidArgument(f"ice-ufrag must be 4 to 256 of A-Z a-z 0-9 + / - _, not {ufrag[:40]!r}")
        if _PWD.fullmatch(pwd) is None:
            raise InvalidArgument(f"ice-pwd must be 22 to 256 of A-Z a-z 0-9 + / - _, not {len(pwd)} other characters")
        return cls(ufrag, pwd)

    @property
    def key(self) -> bytes:
        """What MESSAGE-INTEGRITY is made with."""
        return self.pwd.encode()


def make_credentials(randomness: Randomness, ufrag_size: int = 8, pwd_size: int = 24) -> Credentials:
    """Draw new ones, six bits a character."""
    if ufrag_size < 8 or pwd_size < 22:
        raise InvalidArgument("our ice-ufrag has at least 8 characters and our ice-pwd 22")
    text = "".join(_ICE_CHARS[byte & 63] for byte in randomness.token(ufrag_size + pwd_size))
    return Credentials(text[:ufrag_size], text[ufrag_size:])
