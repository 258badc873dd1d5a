"""What is odd about the streams of a published track, in the log of its room (requirements row 37).

One listener for all layers of a track and their retransmissions: each record carries what the log is bound to, the
room, the participant and the track, and the layer that it is about.
"""

from __future__ import annotations

from structlog.typing import FilteringBoundLogger

from pystack.rtp import ByeReceived, StreamAnomaly, StreamStarted, StreamTold

__all__ = ["StreamLog"]


class StreamLog:
    """Writes stream events to a log.

    Attributes:
        log: where to; another one may be put in its place at any time and is used from the next record on.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self.log = log

    def __call__(self, event: StreamTold) -> None:
        """Write one record."""
        log = self.log.bind(layer=event.rid)
        if isinstance(event, StreamAnomaly):
            log.warning(
                f"stream {event.kind}",
                ssrc=event.ssrc,
                retransmissions=event.repair,
                before=event.before,
                after=event.after,
                merged=event.merged,
            )
        elif isinstance(event, StreamStarted):
            log.info("stream started", ssrc=event.ssrc)
        elif isinstance(event, ByeReceived):
            log.info("stream ended")
        else:
            log.warning("stream restarted")
