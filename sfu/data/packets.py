"""LiveKit's ``DataPacket`` as it passes through: who sent it is stamped in, everything else stays.

Receivers tell senders apart, and drop repeats, by ``(participant_sid, sequence)``; clients write neither or a part of
it, so the server must. ``kind`` is not to be trusted (one SDK writes it the wrong way round): the label of the channel
decides how a packet travels. Unknown fields and encrypted content pass unchanged.
"""

from __future__ import annotations

from typing import Final

import attrs
from google.protobuf.message import DecodeError as ProtobufDecodeError
from livekit.protocol import models

from pystack.errors import DecodeError

__all__ = ["LABELS", "LOSSY", "RELIABLE", "Stamped", "stamp"]

RELIABLE: Final = "_reliable"
LOSSY: Final = "_lossy"
LABELS: Final = (RELIABLE, LOSSY)
"""The channels that carry ``DataPacket`` messages."""


@attrs.frozen
class Stamped:
    """A packet ready for its receivers.

    Attributes:
        identities: the only receivers by identity; empty for everybody else.
        sids: the only receivers by session id (an old form); empty for everybody else.
        sequence: the sender's number of it, 0 for one that may be lost.
    """

    data: bytes
    identities: frozenset[str]
    sids: frozenset[str]
    sequence: int

    def is_for(self, sid: str, identity: str) -> bool:
        """Whether this participant gets it."""
        if not self.identities and not self.sids:
            return True
        return identity in self.identities or sid in self.sids


def stamp(data: bytes, sid: str, identity: str) -> Stamped:
    """Write the sender into a packet.

    Raises:
        DecodeError: not a ``DataPacket``.
    """
    try:
        packet = models.DataPacket.FromString(data)
    except ProtobufDecodeError as error:
        raise DecodeError("not a DataPacket") from error
    packet.participant_sid = sid
    packet.participant_identity = identity
    identities = set(packet.destination_identities)
    sids: set[str] = set()
    if packet.WhichOneof("value") == "user":
        packet.user.participant_sid = sid  # old clients look here
        packet.user.participant_identity = identity
        identities.update(packet.user.destination_identities)
        sids.update(packet.user.destination_sids)
    return Stamped(packet.SerializeToString(), frozenset(identities), frozenset(sids), packet.sequence)
