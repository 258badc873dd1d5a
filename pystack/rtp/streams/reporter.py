"""When to report, and how reports, descriptions and farewells are packed (RFC 3550 sections 6.1, 6.2 and 6.3.7).

A compound begins with SR or RR and holds the CNAME of every source in it; several share a datagram up to the MTU.
Reports are sent about once a second, at random distances so that ends do not fall into step, and only while something
is sent or heard: an idle session has no timer. Called by :class:`pystack.rtp.RtpSession`.
"""

from __future__ import annotations

from math import inf

from pystack.base import Randomness
from pystack.rtp.rtcp import CNAME, Bye, ReceiverReport, ReportBlock, RtcpPacket, SenderReport, SourceDescription

__all__ = ["Reporter"]

_BLOCK = 24
_RR = 8
_SR = 28


class Reporter:
    """The schedule of reports, and their packing.

    Args:
        ssrc: the source of receiver reports.
        cname: its canonical name.
        interval: mean seconds between reports.
        mtu: the largest datagram in bytes.
        randomness: spreads the reports.

    Attributes:
        deadline: when the next reports are due; ``inf`` while idle.
        due: whether they are due now.
    """

    __slots__ = ("_active", "_byes", "_cname", "_interval", "_mtu", "_owed", "_randomness", "_ssrc", "deadline", "due")

    def __init__(self, ssrc: int, cname: str, interval: float, mtu: int, randomness: Randomness) -> None:
        self._ssrc = ssrc
        self._cname = cname.encode()[:255]
        self._interval = interval
        self._mtu = mtu
        self._randomness = randomness
        self._active = False
        self._byes: list[tuple[int, bytes]] = []
        self._owed: set[int] = set()
        self.deadline = inf
        self.due = False

    @property
    def idle(self) -> bool:
        """Whether nothing was sent or heard since the last reports; then say so by :meth:`wake`."""
        return not self._active

    def wake(self, now: float) -> None:
        """Something was sent or heard: reports will be due."""
        self._active = True
        if self.deadline == inf:
            # The first report comes early (RFC 3550 section 6.2 halves it).
            self.deadline = now + self._interval * (0.25 + 0.5 * self._randomness.uniform())

    def tick(self, now: float) -> None:
        """See whether reports are due; without activity the schedule ends."""
        if now < self.deadline:
            return
        if self._active:
            self._active = False
            self.due = True
            self.deadline = now + self._interval * (0.5 + self._randomness.uniform())
        else:
            self.deadline = inf

    def leave(self, ssrc: int, cname: str, *, sent: bool = True) -> None:
        """A source of ours ends: say BYE with the next flush, if it has ``sent`` anything since the last one."""
        if sent or ssrc in self._owed:
            self._byes.append((ssrc, cname.encode()[:255]))
        self._owed.discard(ssrc)

    def stay(self, ssrc: int) -> None:
        """A source of ours lives: a BYE for it that waits is withdrawn, and owed when it ends."""
        kept = [each for each in self._byes if each[0] != ssrc]
        if len(kept) < len(self._byes):
            self._byes = kept
            self._owed.add(ssrc)

    def cancel(self) -> None:
        """No more reports."""
        self.deadline = inf
        self.due = self._active = False

    def compose(self, senders: list[tuple[SenderReport, str]], blocks: list[ReportBlock]) -> list[bytes]:
        """Pack reports, and the farewells that wait, into as few datagrams as the MTU allows."""
        self.due = False
        pile = _Pile(self._mtu)
        for report, cname in senders:
            pile.add(report, _SR, report.ssrc, cname.encode()[:255])
        room = max(1, min(31, (self._mtu - _RR - 12 - len(self._cname)) // _BLOCK))
        for start in range(0, len(blocks), room):
            part = blocks[start : start + room]
            pile.add(ReceiverReport(self._ssrc, part), _RR + _BLOCK * len(part), self._ssrc, self._cname)
        for ssrc, name in self._byes:
            pile.add(ReceiverReport(ssrc), _RR, ssrc, name, farewell=True)
        self._byes.clear()
        return pile.finish()

    @property
    def leaving(self) -> bool:
        """Whether farewells wait."""
        return bool(self._byes)

    def pack_feedback(self, packets: list[RtcpPacket], *, reduced_size: bool) -> list[bytes]:
        """Pack feedback into datagrams; without reduced size each begins with an empty report and the CNAME."""
        head = b""
        if not reduced_size:
            description = SourceDescription([(self._ssrc, [(CNAME, self._cname)])])
            head = ReceiverReport(self._ssrc).serialize() + description.serialize()
        datagrams: list[bytes] = []
        current = head
        for each in packets:
            data = each.serialize()
            if len(current) > len(head) and len(current) + len(data) > self._mtu:
                datagrams.append(current)
                current = head
            current += data
        if len(current) > len(head):
            datagrams.append(current)
        return datagrams


class _Pile:
    """Reports that will share a datagram, with the descriptions and farewells that belong to them."""

    def __init__(self, mtu: int) -> None:
        self._mtu = mtu
        self._finished: list[bytes] = []
        self._clear()

    def _clear(self) -> None:
        self._reports: list[SenderReport | ReceiverReport] = []
        self._names: dict[int, bytes] = {}
        self._byes: list[int] = []
        self._size = 4

    def add(
        self, report: SenderReport | ReceiverReport, size: int, ssrc: int, cname: bytes, *, farewell: bool = False
    ) -> None:
        size += 0 if ssrc in self._names else 10 + len(cname)  # with the padding of a chunk
        size += 8 if farewell else 0
        if self._reports and (self._size + size > self._mtu or len(self._names) >= 31):
            self._close()
        self._reports.append(report)
        self._names[ssrc] = cname
        self._size += size
        if farewell:
            self._byes.append(ssrc)

    def finish(self) -> list[bytes]:
        if self._reports:
            self._close()
        return self._finished

    def _close(self) -> None:
        parts = [each.serialize() for each in self._reports]
        parts.append(SourceDescription([(ssrc, [(CNAME, name)]) for ssrc, name in self._names.items()]).serialize())
        if self._byes:
            parts.append(Bye(self._byes).serialize())
        self._finished.append(b"".join(parts))
        self._clear()
