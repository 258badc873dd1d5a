"""Serial-number arithmetic (RFC 1982), and the way out of it.

Counters on the wire wrap at 16, 24 or 32 bits. They are compared as serial numbers only where they enter: an
:class:`Unwrapper` turns each into a plain, ever-growing integer, and inside the core ``<`` means what it says.
"""

from __future__ import annotations

__all__ = ["Unwrapper", "serial_add", "serial_gt", "serial_gte", "serial_lt", "serial_lte", "wrap_delta"]


def serial_add(a: int, n: int, bits: int = 32) -> int:
    """``a + n`` modulo ``2**bits``."""
    return (a + n) & ((1 << bits) - 1)


def serial_lt(a: int, b: int, bits: int = 32) -> bool:
    """Tell whether ``a`` comes before ``b``; false for the undefined distance of exactly half the space."""
    return a != b and (b - a) & ((1 << bits) - 1) < 1 << (bits - 1)


def serial_gt(a: int, b: int, bits: int = 32) -> bool:
    """Tell whether ``a`` comes after ``b``."""
    return serial_lt(b, a, bits)


def serial_lte(a: int, b: int, bits: int = 32) -> bool:
    """Tell whether ``a`` is ``b`` or comes before it."""
    return a == b or serial_lt(a, b, bits)


def serial_gte(a: int, b: int, bits: int = 32) -> bool:
    """Tell whether ``a`` is ``b`` or comes after it."""
    return a == b or serial_lt(b, a, bits)


def wrap_delta(value: int, reference: int, bits: int) -> int:
    """The signed distance from ``reference`` to ``value``, in ``[-2**(bits-1), 2**(bits-1))``.

    Both may be plain or wrapped; only their low ``bits`` count.
    """
    half = 1 << (bits - 1)
    return ((value - reference + half) & ((1 << bits) - 1)) - half


class Unwrapper:
    """Turns a wrapping counter into a plain integer, once, at the border.

    Each value is read as the one nearest to ``latest``, so a value up to half the space behind or ahead is understood.

    Attributes:
        latest: the highest plain value seen by :meth:`unwrap`.
    """

    __slots__ = ("_half", "_mask", "latest")

    def __init__(self, bits: int, initial: int) -> None:
        self._half = 1 << (bits - 1)
        self._mask = (1 << bits) - 1
        self.latest = initial

    def peek(self, wire: int) -> int:
        """The plain value of ``wire`` without moving; may be negative if it lies before the start."""
        return self.latest + (((wire - self.latest + self._half) & self._mask) - self._half)

    def unwrap(self, wire: int) -> int:
        """The plain value of ``wire``; ``latest`` moves up to it if it is higher."""
        plain = self.latest + (((wire - self.latest + self._half) & self._mask) - self._half)
        self.latest = max(self.latest, plain)
        return plain
