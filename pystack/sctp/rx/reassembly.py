"""Fragments back into messages (RFC 9260 section 6.9).

Without interleaving the fragments of a message have consecutive TSNs. Those that are here form *pieces*: runs of
consecutive TSNs of one message. A fragment joins the piece that ends where it begins, and the one that begins where it
ends; a piece with both a beginning and an end is a message. Fragments in order, the usual case, cost one look-up each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque

from pystack.sctp.rx.window import ReceiveWindow
from pystack.sctp.wire.data import BEGIN, END, UNORDERED

__all__ = ["Piece", "Reassembly"]


class Piece:
    """A run of fragments of one message.

    Attributes:
        first, stop: its TSNs, plain, half-open.
        stream, ssn, ppid: as in the first fragment seen; ``ppid`` of the first one of the message counts.
        flags: BEGIN and END as far as they are here, UNORDERED if it is.
        parts: payloads in order.
        size: their bytes.
    """

    __slots__ = ("first", "flags", "parts", "ppid", "size", "ssn", "stop", "stream")

    def __init__(self, tsn: int, flags: int, stream: int, ssn: int, ppid: int, payload: bytes) -> None:
        self.first = tsn
        self.stop = tsn + 1
        self.flags = flags & (BEGIN | END | UNORDERED)
        self.stream = stream
        self.ssn = ssn
        self.ppid = ppid
        self.parts = deque((payload,))
        self.size = len(payload)

    def belongs(self, flags: int, stream: int, ssn: int) -> bool:
        """Whether a neighbouring fragment may be of the same message."""
        unordered = self.flags & UNORDERED
        return stream == self.stream and flags & UNORDERED == unordered and (ssn == self.ssn or bool(unordered))


class Reassembly:
    """All pieces of one association; bounded by the receive window, which counts them.

    Their first TSNs are kept in order too, so that FORWARD-TSN costs what it drops and not what is held.
    """

    __slots__ = ("_by_first", "_by_stop", "_firsts", "_limit", "_window", "violation")

    def __init__(self, window: ReceiveWindow, max_message_size: int) -> None:
        self._window = window
        self._limit = max_message_size
        self._by_first: dict[int, Piece] = {}
        self._by_stop: dict[int, Piece] = {}
        self._firsts: list[int] = []
        self.violation = ""

    def __len__(self) -> int:
        """How many pieces there are."""
        return len(self._by_first)

    def add(self, tsn: int, flags: int, stream: int, ssn: int, ppid: int, payload: bytes) -> Piece | None:
        """Take a fragment (not a whole message); return the piece if that completes a message.

        What no honest sender does sets ``violation``: two messages in one run of TSNs, or a message above the limit.
        """
        window = self._window
        window.held += len(payload)
        window.items += 1
        piece = None if flags & BEGIN else self._by_stop.pop(tsn, None)
        if piece is None:
            piece = self._by_first[tsn] = Piece(tsn, flags, stream, ssn, ppid, payload)
            insort(self._firsts, tsn)
        else:
            if not piece.belongs(flags, stream, ssn):
                self.violation = "fragments of two messages interleave"
            piece.parts.append(payload)
            piece.size += len(payload)
            piece.stop = tsn + 1
            piece.flags |= flags & END
        right = None if flags & END else self._by_first.get(tsn + 1)
        # A message may follow the beginning of one that was given up, before the FORWARD-TSN that says so.
        if right is not None and not right.flags & BEGIN:
            self._join(piece, right)
        elif not piece.flags & END:
            self._by_stop[piece.stop] = piece
        if piece.size > self._limit:
            self.violation = f"a message larger than {self._limit} bytes"
        if piece.flags & END and piece.flags & BEGIN:
            self._forget(piece)
            window.items -= len(piece.parts) - 1
            return piece
        return None

    def _join(self, piece: Piece, right: Piece) -> None:
        self._forget(right)
        if not piece.belongs(right.flags, right.stream, right.ssn):
            self.violation = "fragments of two messages interleave"
        if len(right.parts) > len(piece.parts):  # the shorter one moves, so that joining is cheap in any order
            piece.parts.reverse()
            right.parts.extendleft(piece.parts)
            piece.parts = right.parts
        else:
            piece.parts.extend(right.parts)
        piece.size += right.size
        piece.stop = right.stop
        piece.flags |= right.flags & END
        if not piece.flags & END:
            self._by_stop[piece.stop] = piece

    def drop_through(self, tsn: int) -> None:
        """FORWARD-TSN: messages that began at or before ``tsn`` never become whole, nor does one whose rest follows."""
        firsts = self._firsts
        count = bisect_right(firsts, tsn)
        if count < len(firsts) and firsts[count] == tsn + 1 and not self._by_first[tsn + 1].flags & BEGIN:
            count += 1
        for first in firsts[:count]:
            piece = self._by_first.pop(first)
            if self._by_stop.get(piece.stop) is piece:
                del self._by_stop[piece.stop]
            self._window.held -= piece.size
            self._window.items -= len(piece.parts)
        del firsts[:count]

    def _forget(self, piece: Piece) -> None:
        """It became whole, or a part of the one before it."""
        del self._by_first[piece.first]
        del self._firsts[bisect_left(self._firsts, piece.first)]

    def clear(self) -> None:
        """Forget everything."""
        for piece in self._by_first.values():
            self._window.held -= piece.size
            self._window.items -= len(piece.parts)
        self._by_first.clear()
        self._by_stop.clear()
        self._firsts.clear()
