"""Randomness is an argument: secret in production, seeded in tests."""

from __future__ import annotations

import random
import secrets
from typing import Protocol

__all__ = ["Randomness", "SecretRandomness", "SeededRandomness"]


class Randomness(Protocol):
    """Where a core draws its random numbers from."""

    def token(self, size: int) -> bytes:
        """Return ``size`` random bytes."""
        ...

    def integer(self, bits: int) -> int:
        """Return a uniform integer in ``[0, 2**bits)``."""
        ...

    def uniform(self) -> float:
        """Return a uniform float in ``[0, 1)``."""
        ...


class SecretRandomness:
    """The operating system's generator: what production uses."""

    def token(self, size: int) -> bytes:
        """Return ``size`` random bytes."""
        return secrets.token_bytes(size)

    def integer(self, bits: int) -> int:
        """Return a uniform integer in ``[0, 2**bits)``."""
        return secrets.randbits(bits)

    def uniform(self) -> float:
        """Return a uniform float in ``[0, 1)``."""
        return secrets.randbits(53) / (1 << 53)


class SeededRandomness:
    """Reproducible and not secret: for simulations and tests only."""

    def __init__(self, seed: int | str | bytes) -> None:
        self._random = random.Random(seed)

    def token(self, size: int) -> bytes:
        """Return ``size`` pseudo-random bytes."""
        return self._random.randbytes(size)

    def integer(self, bits: int) -> int:
        """Return a uniform integer in ``[0, 2**bits)``."""
        return self._random.getrandbits(bits)

    def uniform(self) -> float:
        """Return a uniform float in ``[0, 1)``."""
        return self._random.random()
