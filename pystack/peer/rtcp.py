"""RTCP as an application sees it: what the peer's reports and requests said, and packets of one's own.

The stack makes and answers RTCP by itself; nobody has to look here. Whoever does gets each packet as a typed value:
what the sender of a track says of it at its receiver, what the receiver of ours says of it at our sender, the rest at
the connection. What comes before anybody looks is kept, bounded; of more the oldest are dropped and counted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from pystack.errors import LOCAL, Closed, PeerClosed, Reason
from pystack.peer.arguments import check_callback
from pystack.peer.inbox import Inbox
from pystack.peer.outward import call_out
from pystack.rtp import RtcpPacket

if TYPE_CHECKING:
    from pystack.aio import Driver
    from pystack.session import Session

__all__ = ["RtcpPort"]


class RtcpPort:
    """Where RTCP packets come and go: ``receiver.rtcp``, ``sender.rtcp``, ``connection.rtcp``.

    Attributes:
        dropped: packets dropped because nobody read them in time; see ``Configuration.inbox_rtcp``.
    """

    def __init__(self, session: Session, driver: Driver, what: str, limit: int) -> None:
        self._session = session
        self._driver = driver
        self._what = f"RTCP of the {what}"
        self._limit = limit
        self._inbox: Inbox[RtcpPacket] = Inbox(self._what)
        self._tap: Callable[[RtcpPacket], object] | None = None
        self._ended: Reason | None = None
        self.dropped = 0

    @property
    def ssrc(self) -> int:
        """The SSRC under which this side's feedback travels: the ``sender_ssrc`` of a packet of yours."""
        return self._session.rtp.ssrc

    @property
    def on_packet(self) -> Callable[[RtcpPacket], object] | None:
        """Called with each packet instead of keeping it for a reader; those kept so far come first.

        Raises:
            InvalidArgument: set to what cannot be called, or to an ``async def``, which nobody would await.
        """
        return self._tap

    @on_packet.setter
    def on_packet(self, tap: Callable[[RtcpPacket], object] | None) -> None:
        check_callback("on_packet", tap, "take the packets by async for, or start a task in a plain function")
        self._tap = tap
        self._inbox.set_tap(None if tap is None else self._deliver)

    async def read(self, *, timeout: float | None = None) -> RtcpPacket:
        """Return the next packet.

        Raises:
            TimeoutError: nothing came in time.
            Closed: the connection ended and everything was read.
        """
        return await self._inbox.take(timeout)

    async def __aiter__(self) -> AsyncIterator[RtcpPacket]:
        """Yield packets until the connection ends in good order; raise :class:`Closed` if it ends otherwise."""
        while True:
            try:
                packet = await self.read()
            except Closed as end:
                if end.reason == LOCAL or isinstance(end.reason, PeerClosed):
                    return
                raise
            yield packet

    def write(self, packet: RtcpPacket | bytes) -> bool:
        """Send a packet of your own, or a datagram of them as bytes, beside those that the stack makes.

        Returns:
            Whether it was taken; while many wait for the path already, it is not.

        Raises:
            InvalidArgument: no RTCP, a field that cannot stand in such a packet, more than 31 entries where the count
                has 5 bits, or more than 65,000 bytes. The message names the field.
            Closed: the connection ended.
        """
        if self._ended is not None:
            raise Closed.because(self._what, self._ended)
        taken = self._session.send_rtcp(packet)
        self._driver.soon()
        return taken

    # ---- what the connection tells it

    def handle_packet(self, packet: RtcpPacket) -> None:
        """A packet arrived."""
        if self._ended is not None:
            return
        self._inbox.put(packet)
        if len(self._inbox) > self._limit:
            self._inbox.pop()
            self.dropped += 1

    def handle_end(self, reason: Reason) -> None:
        """The connection, or the section, ended."""
        if self._ended is None:
            self._ended = reason
            self._tap = None
            self._inbox.set_tap(None)
            self._inbox.terminate(reason)

    def _deliver(self, packet: RtcpPacket) -> None:
        if self._tap is not None:
            call_out(self._tap, packet)
