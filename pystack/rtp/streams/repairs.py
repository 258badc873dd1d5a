"""The stream in which retransmissions of another one come (RFC 4588): what of it was lost or came twice.

The small sibling of :class:`~pystack.rtp.streams.receiver.ReceiveStream`: it keeps numbers, hands nothing on and asks
for nothing. Called by the session's inbound part per retransmission.
"""

from __future__ import annotations

from pystack.rtp.streams.anomalies import Anomalies
from pystack.rtp.streams.sequence import RESTARTED, SequenceTracker
from pystack.rtp.streams.tray import EventTray

__all__ = ["RepairStream"]


class RepairStream:
    """State of one received SSRC of retransmissions.

    Attributes:
        ssrc: its synchronization source.
        sequence: what came and what did not.
        anomalies: what is odd about it.
    """

    __slots__ = ("anomalies", "sequence", "ssrc")

    def __init__(self, receiver_id: int, rid: str, ssrc: int, first_sequence_number: int, events: EventTray) -> None:
        self.ssrc = ssrc
        self.sequence = SequenceTracker(first_sequence_number)
        self.anomalies = Anomalies(receiver_id, rid, ssrc, events, repair=True)

    def note(self, sequence_number: int, now: float) -> None:
        """A retransmission came under this number of its own stream."""
        sequence = self.sequence
        if sequence.admit(sequence_number) == RESTARTED:
            before = sequence.highest
            sequence.restart(sequence_number)
            sequence.admit(sequence_number)
            self.anomalies.tell("restart", before, sequence_number, now)
