"""How a connection ends: what each alert means, and how far to believe one that anybody could have sent.

RFC 5246 section 7.2. An authenticated alert is believed at once. An alert in epoch 0 is not authentic, and acting on
it would let whoever can send one datagram end a handshake (RFC 6347 section 4.1.2.7 is as careful with records), but
it is also the only way in which a peer can say that it will not have us. So it is a *suspicion*: if the handshake
makes no progress for a while after it, the handshake ends and gives the alert as the reason; progress clears it.
Called by the engine.
"""

from __future__ import annotations

from pystack.base import TimerSet
from pystack.dtls.wire.alert import FATAL, WARNING, Alert, AlertDescription
from pystack.errors import HandshakeFailed, PeerAborted, PeerClosed, RemoteError

__all__ = ["CLOSE_NOTIFY", "SUSPICION_TIMER", "Suspicion", "fatal", "reason_of"]

SUSPICION_TIMER = "alert"
CLOSE_NOTIFY = Alert(WARNING, AlertDescription.CLOSE_NOTIFY)


def fatal(description: AlertDescription) -> Alert:
    """The alert that goes with a failure of ours."""
    return Alert(FATAL, description)


def reason_of(alert: Alert) -> RemoteError | None:
    """Why the connection ends with an alert of the peer; ``None`` for a warning that ends nothing."""
    text = f"DTLS alert: {alert.name}"
    if alert.description == AlertDescription.CLOSE_NOTIFY:
        return PeerClosed(text)
    return PeerAborted(text) if alert.level == FATAL else None


class Suspicion:
    """The first alert in epoch 0 since the handshake last made progress."""

    __slots__ = ("_grace", "_reason", "_timers")

    def __init__(self, grace: float, timers: TimerSet) -> None:
        self._grace = grace
        self._timers = timers
        self._reason: RemoteError | None = None

    def hear(self, alert: Alert, now: float) -> None:
        """An unauthenticated alert came during the handshake."""
        reason = reason_of(alert)
        if reason is not None and self._reason is None:
            self._reason = reason
            self._timers.set(SUSPICION_TIMER, now + self._grace)

    def clear(self) -> None:
        """The handshake made progress."""
        self._reason = None
        self._timers.cancel(SUSPICION_TIMER)

    @property
    def verdict(self) -> HandshakeFailed:
        """The end, when the grace is over."""
        return HandshakeFailed("DTLS handshake refused by the peer", cause=self._reason)
