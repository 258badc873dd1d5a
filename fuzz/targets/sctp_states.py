"""Associations in each state of RFC 9260, reached by exchanging real packets with a real peer; all deterministic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from pystack.base import SeededRandomness
from pystack.sctp import Association, AssociationOptions, AssociationState

__all__ = ["BUILDERS", "NAMES", "OPTIONS", "START", "Meeting", "meet"]

START: Final = 1000.0
OPTIONS: Final = AssociationOptions(
    receive_window=32768,
    max_message_size=16384,
    send_buffer=32768,
    stream_send_buffer=16384,
    max_association_retransmits=4,
    max_init_retransmits=3,
    zero_checksum=True,
)
"""Small, so that an input can fill what there is to fill, and that silence is noticed soon."""


@attrs.define
class Meeting:
    """The association that is fuzzed, and the peer that it met.

    Attributes:
        to_core: packets of the peer that did not reach the core yet: what an input is likely to look like.
    """

    core: Association
    peer: Association
    now: float = START
    to_core: list[bytes] = attrs.field(factory=list)

    def send(self) -> None:
        """The core speaks, the peer hears it."""
        for packet in self.core.flush(self.now):
            self.peer.receive(packet, self.now)

    def hear(self, count: int = 99) -> None:
        """The peer speaks; the core hears the first ``count`` packets."""
        self.to_core += self.peer.flush(self.now)
        for packet in self.to_core[:count]:
            self.core.receive(packet, self.now)
        del self.to_core[:count]

    def exchange(self) -> None:
        """Until nobody has anything to say."""
        for _ in range(8):
            self.send()
            self.hear()

    def speak_both(self) -> None:
        """Fragmented, ordered and unordered messages under way in both directions, the core's unanswered."""
        for side in (self.core, self.peer):
            side.send(1, b"first" * 500, self.now, ppid=53)
            side.send(2, b"second", self.now, ppid=51, ordered=False, max_retransmits=0)
        self.core.flush(self.now)
        packets = self.peer.flush(self.now)
        self.core.receive(packets[-1], self.now)  # out of order: a gap, a fragment held
        self.to_core += packets[:-1]


_PLAIN: Final = attrs.evolve(OPTIONS, interleaving=False, rack=False, tail_loss_probe=False, zero_checksum=False)


def _make(options: AssociationOptions = OPTIONS) -> Meeting:
    core, peer = (Association(options, SeededRandomness(name)) for name in ("core", "peer"))
    return Meeting(core, peer)


def _cookie_wait() -> Meeting:
    met = _make()
    met.core.connect(met.now)
    met.send()
    return met


def _cookie_echoed() -> Meeting:
    met = _cookie_wait()
    met.hear()
    met.core.send(1, b"early", met.now, ppid=53)
    met.send()
    return met


def _established(options: AssociationOptions = OPTIONS) -> Meeting:
    met = _make(options)
    met.core.connect(met.now)
    met.exchange()
    return met


def _busy() -> Meeting:
    met = _established()
    met.speak_both()
    return met


def _busy_plain() -> Meeting:
    met = _established(_PLAIN)
    met.speak_both()
    return met


def _resetting() -> Meeting:
    met = _established()
    for side in (met.core, met.peer):
        side.send(3, b"last", met.now, ppid=53)
    met.exchange()
    met.core.reset([3], met.now)
    met.core.flush(met.now)
    met.peer.reset([3, 4], met.now)
    return met


def _shutdown_pending() -> Meeting:
    met = _busy()
    met.core.shutdown(met.now)
    return met


def _shutdown_sent() -> Meeting:
    met = _established()
    met.peer.send(1, b"crossing", met.now, ppid=53)
    met.to_core += met.peer.flush(met.now)
    met.core.shutdown(met.now)
    met.send()
    return met


def _shutdown_received() -> Meeting:
    met = _established()
    met.core.send(1, b"unanswered" * 200, met.now, ppid=53)
    met.core.flush(met.now)
    met.peer.shutdown(met.now)
    met.hear()
    return met


def _shutdown_ack_sent() -> Meeting:
    met = _established()
    met.peer.shutdown(met.now)
    met.hear()
    met.send()
    return met


def _ended() -> Meeting:
    met = _established()
    met.core.abort(met.now)
    met.core.flush(met.now)
    return met


_S = AssociationState
BUILDERS: Final[tuple[tuple[str, AssociationState, Callable[[], Meeting]], ...]] = (
    ("closed", _S.CLOSED, _make),
    ("cookie-wait", _S.COOKIE_WAIT, _cookie_wait),
    ("cookie-echoed", _S.COOKIE_ECHOED, _cookie_echoed),
    ("established", _S.ESTABLISHED, _established),
    ("established busy", _S.ESTABLISHED, _busy),
    ("established resetting", _S.ESTABLISHED, _resetting),
    ("shutdown-pending", _S.SHUTDOWN_PENDING, _shutdown_pending),
    ("shutdown-sent", _S.SHUTDOWN_SENT, _shutdown_sent),
    ("shutdown-received", _S.SHUTDOWN_RECEIVED, _shutdown_received),
    ("shutdown-ack-sent", _S.SHUTDOWN_ACK_SENT, _shutdown_ack_sent),
    ("ended", _S.ENDED, _ended),
    ("established plain", _S.ESTABLISHED, _busy_plain),  # without the extensions that can be turned off
)
"""Every state of the table with the way into it; an input's first byte chooses one."""
NAMES: Final = tuple(name for name, _, _ in BUILDERS)


def meet(number: int) -> Meeting:
    """The core in the state that ``number`` chooses."""
    _, state, build = BUILDERS[number % len(BUILDERS)]
    met = build()
    assert met.core.state is state, (met.core.state, state)
    return met
