"""How much may be sent again: in proportion to what was sent, so that a flood of NACKs is not amplified.

Requests are limited for each packet already, but a peer may ask for every packet that is kept, again and again. Bytes
sent earn bytes that may be sent again, up to a burst. Called by the send stream.
"""

from __future__ import annotations

__all__ = ["RetransmissionAllowance"]


class RetransmissionAllowance:
    """A bucket of bytes that fills as media is sent.

    Args:
        share: bytes earned by each byte sent.
        burst: what the bucket holds, and holds at first.
    """

    __slots__ = ("_burst", "_left", "_seen", "_share")

    def __init__(self, share: float, burst: int) -> None:
        self._share = share
        self._burst = float(burst)
        self._left = float(burst)
        self._seen = 0

    def spend(self, size: int, sent: int) -> bool:
        """Take ``size`` bytes out if they are there.

        Args:
            size: of the packet to send again.
            sent: bytes of media sent so far; what came since the last call is earned first.
        """
        self._left = min(self._burst, self._left + self._share * (sent - self._seen))
        self._seen = sent
        if size > self._left:
            return False
        self._left -= size
        return True
