"""Fields of single bits, most significant first, as the AV1 specifications write them (AV1 section 4.10)."""

from __future__ import annotations

from pystack.errors import DecodeError, InvalidArgument

__all__ = ["BitReader", "BitWriter"]


class BitReader:
    """Reads fields from the front of ``data``.

    Attributes:
        left: bits not read yet.
    """

    __slots__ = ("_value", "left")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self.left = len(data) * 8

    def fixed(self, bits: int) -> int:
        """``f(bits)``.

        Raises:
            DecodeError: there are not so many.
        """
        if bits > self.left:
            raise DecodeError("bits: the field runs past the end")
        self.left -= bits
        return self._value >> self.left & (1 << bits) - 1

    def flag(self) -> bool:
        """``f(1)``."""
        return self.fixed(1) == 1

    def below(self, limit: int) -> int:
        """``ns(limit)``: a number below ``limit`` in as few bits as that takes (AV1 section 4.10.7)."""
        width = limit.bit_length()
        short = (1 << width) - limit
        value = self.fixed(width - 1)
        return value if value < short else (value << 1) - short + self.fixed(1)


class BitWriter:
    """Writes fields one behind the other."""

    __slots__ = ("_bits", "_value")

    def __init__(self) -> None:
        self._value = 0
        self._bits = 0

    def fixed(self, value: int, bits: int) -> None:
        """``f(bits)``.

        Raises:
            InvalidArgument: the value does not fit.
        """
        if not 0 <= value < 1 << bits:
            raise InvalidArgument(f"{value} does not fit into {bits} bits")
        self._value = self._value << bits | value
        self._bits += bits

    def below(self, value: int, limit: int) -> None:
        """``ns(limit)``."""
        if not 0 <= value < limit:
            raise InvalidArgument(f"{value} is not below {limit}")
        width = limit.bit_length()
        short = (1 << width) - limit
        if value < short:
            self.fixed(value, width - 1)
        else:
            self.fixed(value + short, width)

    def finish(self) -> bytes:
        """All that was written, with zeros up to the next byte."""
        padding = -self._bits % 8
        return (self._value << padding).to_bytes((self._bits + padding) // 8, "big")
