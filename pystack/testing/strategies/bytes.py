"""Bytes as applications, strangers and bad networks make them.

Hypothesis' own ``binary()`` is short most of the time; what breaks a protocol is often long. These draw a *recipe* (a
size and a seed), so long data costs no more entropy than short data and still shrinks to short.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import strategies as st

__all__ = ["mutate", "mutated", "noise", "payloads"]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage a datagram: flip bits, overwrite, cut, extend, repeat, or swap in pure noise."""
    damaged = bytearray(data)
    kind = rng.randrange(7)
    if kind == 0 or not damaged:
        return rng.randbytes(rng.randrange(0, 200))
    at = rng.randrange(len(damaged))
    if kind == 1:
        damaged[at] ^= 1 << rng.randrange(8)
    elif kind == 2:
        damaged[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    elif kind == 3:
        del damaged[at:]
    elif kind == 4:
        damaged += rng.randbytes(rng.randrange(1, 40))
    elif kind == 5:
        damaged[at:at] = damaged[at : at + rng.randrange(1, 40)]
    else:
        for _ in range(rng.randrange(2, 9)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    return bytes(damaged)


def _sizes(maximum: int) -> st.SearchStrategy[int]:
    edges = sorted(
        {size for size in (0, 1, 2, 3, 4, 8, 12, 20, 1191, 1200, maximum - 1, maximum) if 0 <= size <= maximum}
    )
    return st.one_of(st.sampled_from(edges), st.integers(0, min(64, maximum)), st.integers(0, maximum))


def payloads(maximum: int) -> st.SearchStrategy[bytes]:
    """Application data of 0 to ``maximum`` bytes; small, middling and the full size are all likely."""
    return st.builds(lambda size, seed: random.Random(seed).randbytes(size), _sizes(maximum), st.integers(0, 255))


def noise(maximum: int = 1500) -> st.SearchStrategy[bytes]:
    """What a stranger might send: arbitrary short bytes, or a likely first byte before long noise."""
    first = st.sampled_from([0x00, 0x01, 0x13, 0x14, 0x16, 0x17, 0x3F, 0x40, 0x7F, 0x80, 0x90, 0xBF, 0xC8, 0xFF])
    return st.one_of(
        st.binary(max_size=40),
        payloads(maximum),
        st.builds(lambda head, tail: bytes([head]) + tail, first, payloads(max(0, maximum - 1))),
    )


def mutated(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Damaged copies of valid datagrams, one to three rounds of :func:`mutate` each."""

    def damage(sample: bytes, rounds: int, seed: int) -> bytes:
        rng = random.Random(seed)
        for _ in range(rounds):
            sample = mutate(sample, rng)
        return sample

    return st.builds(damage, st.sampled_from(samples), st.integers(1, 3), st.integers(0, 2**32 - 1))
