"""Mutations of an input, for the loop that runs without atheris."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

__all__ = ["mutate"]

_INTERESTING: Final = (0, 1, 2, 3, 4, 0x0F, 0x10, 0x20, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFE, 0xFF)


def mutate(data: bytes, others: Sequence[bytes], rng: random.Random, limit: int) -> bytes:
    """One to a few changes in a row: flip, set, insert, remove, repeat, move, splice with another, cut."""
    found = bytearray(data)
    for _ in range(1 << rng.randrange(4)):
        _change(found, others, rng)
    return bytes(found[:limit])


def _change(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    kind = rng.randrange(10) if data else 3
    at = rng.randrange(len(data)) if data else 0
    some = 1 << rng.randrange(7)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[at] = rng.choice(_INTERESTING)
    elif kind == 2:
        data[at] = rng.randrange(256)
    elif kind == 3:
        data[at:at] = rng.randbytes(rng.randrange(1, 1 + some))
    elif kind == 4:
        del data[at : at + rng.randrange(1, 1 + some)]
    elif kind == 5:
        data[at:at] = data[at : at + some]
    elif kind == 6:  # a number, a little off
        size = rng.choice((1, 2, 4))
        value = int.from_bytes(data[at : at + size], "big") + rng.choice((-16, -4, -1, 1, 4, 16))
        data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "big")
    elif kind == 7 and others:
        other = rng.choice(others)
        cut = rng.randrange(len(other) + 1)
        data[at:] = other[cut:]
    elif kind == 8 and others:
        other = rng.choice(others)
        cut = rng.randrange(len(other) + 1)
        data[at:at] = other[cut : cut + some]
    else:
        piece = data[at : at + some]
        del data[at : at + some]
        to = rng.randrange(len(data) + 1)
        data[to:to] = piece
