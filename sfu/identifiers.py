"""Identifiers: a prefix that tells what is named, and random letters and digits.

The prefixes are those of the LiveKit protocol (``PA_`` a participant's session, ``TR_`` a track, ``DTR_`` a data track,
``RM_`` a room), because clients tell things apart by them.
"""

from __future__ import annotations

from typing import Final

from pystack.base import Randomness

__all__ = ["DATA_TRACK", "PARTICIPANT", "ROOM", "TRACK", "identifier"]

DATA_TRACK: Final = "DTR_"
PARTICIPANT: Final = "PA_"
ROOM: Final = "RM_"
TRACK: Final = "TR_"

_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_LENGTH: Final = 12


def identifier(prefix: str, randomness: Randomness) -> str:
    """Return a new identifier: ``prefix`` and twelve characters, about 70 random bits."""
    value = randomness.integer(128)
    letters = []
    for _ in range(_LENGTH):
        value, index = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return prefix + "".join(letters)
