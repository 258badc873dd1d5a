"""Fragments back into messages where they interleave (RFC 8260 section 2.2.3).

Each message is found by its stream, its kind (ordered or not) and its MID, and put together by FSN. Fragments in order,
the usual case, cost two look-ups each; those that came early wait by their number. Bounded by the receive window, which
counts every fragment.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import Final

from pystack.sctp.rx.window import ReceiveWindow
from pystack.sctp.wire.data import BEGIN, END
from pystack.sctp.wire.fast import MASK32

__all__ = ["Assembly", "InterleavedReassembly"]

_HALF: Final = 1 << 31


class Assembly:
    """What is here of one message.

    Attributes:
        parts: payloads from the first on, without a hole.
        early: payloads behind a hole, by FSN.
        last: FSN of the last fragment, -1 until it came.
        mid: plain: its message identifier, seen from that of the oldest one.
        ppid: of the first fragment.
        size: bytes of all that is here.
    """

    __slots__ = ("early", "last", "mid", "parts", "ppid", "size")

    def __init__(self, mid: int) -> None:
        self.mid = mid
        self.parts: list[bytes] = []
        self.early: dict[int, bytes] = {}
        self.last = -1
        self.ppid = 0
        self.size = 0


class _Unfinished:
    """The unfinished messages of one stream and kind, by MID; ``order`` has their plain MIDs, the oldest first."""

    __slots__ = ("by_mid", "order")

    def __init__(self) -> None:
        self.by_mid: dict[int, Assembly] = {}
        self.order: list[int] = []

    def plain(self, mid: int) -> int:
        """The value of a MID that is nearest to the oldest one here."""
        if not self.order:
            return mid
        oldest = self.order[0]
        return oldest + ((mid - oldest + _HALF) & MASK32) - _HALF

    def begin(self, mid: int) -> Assembly:
        it = self.by_mid[mid] = Assembly(self.plain(mid))
        insort(self.order, it.mid)
        return it

    def finish(self, it: Assembly) -> None:
        del self.by_mid[it.mid & MASK32]
        del self.order[bisect_left(self.order, it.mid)]


class InterleavedReassembly:
    """All unfinished messages of one association.

    Attributes:
        size: bytes held in here.
        violation: what the peer did that no honest sender does.
    """

    __slots__ = ("_kinds", "_limit", "_window", "size", "violation")

    def __init__(self, window: ReceiveWindow, max_message_size: int) -> None:
        self._window = window
        self._limit = max_message_size
        self._kinds: dict[int, _Unfinished] = {}
        self.size = 0
        self.violation = ""

    def __len__(self) -> int:
        """How many messages are unfinished."""
        return sum(len(unfinished.order) for unfinished in self._kinds.values())

    def add(self, kind: int, mid: int, flags: int, last: int, payload: bytes) -> Assembly | None:
        """Take a fragment (not a whole message); return the message if that completes it.

        Args:
            kind: twice the stream's number, plus one for unordered.
            mid: message identifier.
            flags: of the chunk.
            last: the chunk's last field: PPID if it has BEGIN, FSN otherwise.
            payload: at least one byte.
        """
        unfinished = self._kinds.get(kind)
        if unfinished is None:
            unfinished = self._kinds[kind] = _Unfinished()
        it = unfinished.by_mid.get(mid)
        if it is None:
            it = unfinished.begin(mid)
        parts = it.parts
        if flags & BEGIN:
            fsn = 0
            it.ppid = last
        else:
            fsn = last
        if fsn < len(parts) or fsn in it.early or (fsn == 0 and not flags & BEGIN):
            self.violation = "two fragments with the same number"
            return None
        if flags & END:
            if it.last >= 0 or (it.early and max(it.early) > fsn):
                self.violation = "a fragment behind the last one"
                return None
            it.last = fsn
        elif 0 <= it.last < fsn:
            self.violation = "a fragment behind the last one"
            return None
        size = len(payload)
        window = self._window
        window.held += size
        window.items += 1
        self.size += size
        it.size += size
        if fsn == len(parts):
            parts.append(payload)
            if it.early:
                while (payload := it.early.pop(len(parts), b"")) != b"":
                    parts.append(payload)
        else:
            it.early[fsn] = payload
        if it.size > self._limit:
            self.violation = f"a message larger than {self._limit} bytes"
        if parts and len(parts) == it.last + 1:
            unfinished.finish(it)
            if not unfinished.order:
                del self._kinds[kind]
            self.size -= it.size
            window.items -= len(parts) - 1
            return it
        return None

    def drop_through(self, kind: int, mid: int) -> None:
        """I-FORWARD-TSN: messages of that kind up to ``mid`` never become whole."""
        unfinished = self._kinds.get(kind)
        if unfinished is None:
            return
        order = unfinished.order
        count = bisect_right(order, unfinished.plain(mid))
        for one in order[:count]:
            self._give_back(unfinished.by_mid.pop(one & MASK32))
        del order[:count]
        if not order:
            del self._kinds[kind]

    def clear(self) -> None:
        """Forget everything."""
        for unfinished in self._kinds.values():
            for it in unfinished.by_mid.values():
                self._give_back(it)
        self._kinds.clear()
        self.violation = ""

    def _give_back(self, it: Assembly) -> None:
        self.size -= it.size
        self._window.held -= it.size
        self._window.items -= len(it.parts) + len(it.early)
