"""LiveKit's ``DataPacket`` as it passes through: who sent it is stamped in, everything else stays.

Receivers tell senders apart, and drop repeats, by ``(participant_sid, sequence)``; clients write neither or a part of
it, so the server must. An agent alone may write for somebody else, as one that turns speech into text does: chat and
text are then marked as generated. ``kind`` is not to be trusted (one SDK writes it the wrong way round): the label of
the channel decides how a packet travels. Unknown fields and encrypted content pass unchanged.
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
        content: which of LiveKit's kinds of packet it is, ``""`` for one that is not known here.
    """

    data: bytes
    identities: frozenset[str]
    sids: frozenset[str]
    sequence: int
    content: str = ""

    def is_for(self, sid: str, identity: str) -> bool:
        """Whether this participant gets it."""
        if not self.identities and not self.sids:
            return True
        return identity in self.identities or sid in self.sids


def stamp(data: bytes, sid: str, identity: str, *, agent: bool = False) -> Stamped:
    """Write the sender into a packet; ``agent``: it may say that it writes for somebody else.

    Raises:
        DecodeError: not a ``DataPacket``.
    """
    try:
        packet = models.DataPacket.FromString(data)
    except ProtobufDecodeError as error:
        raise DecodeError("not a DataPacket") from error
    content = packet.WhichOneof("value") or ""
    packet.participant_sid = sid
    if not (agent and packet.participant_identity not in {"", identity} and _generated(packet, content)):
        packet.participant_identity = identity
    identities = set(packet.destination_identities)
    sids: set[str] = set()
    if content == "user":
        packet.user.participant_sid = sid  # old clients look here
        packet.user.participant_identity = identity
        identities.update(packet.user.destination_identities)
        sids.update(packet.user.destination_sids)
    return Stamped(packet.SerializeToString(), frozenset(identities), frozenset(sids), packet.sequence, content)


def _generated(packet: models.DataPacket, content: str) -> bool:
    """Mark what may be written for somebody else; return whether this is such."""
    if content == "chat_message":
        packet.chat_message.generated = True
    elif content == "stream_header" and packet.stream_header.HasField("text_header"):
        packet.stream_header.text_header.generated = True
    else:
        return False
    return True
