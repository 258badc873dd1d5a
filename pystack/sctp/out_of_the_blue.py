"""Answers for packets that belong to no association (RFC 9260 section 8.4): stateless, for the session to call.

After an association has ended it says nothing more; a peer that did not hear its farewell is told so here.
"""

from __future__ import annotations

from pystack.errors import DecodeError
from pystack.sctp.wire.control import encode_abort, encode_shutdown_complete
from pystack.sctp.wire.packet import ChunkType, Packet, build_packet

__all__ = ["answer_out_of_the_blue"]

_SILENT = (
    ChunkType.ABORT,
    ChunkType.SHUTDOWN_COMPLETE,
    ChunkType.INIT,  # with tag 0 there is nothing to reflect, and a new association is the session's to decide
    ChunkType.COOKIE_ACK,
    ChunkType.ERROR,
)


def answer_out_of_the_blue(data: bytes) -> bytes | None:
    """The packet to send back for ``data``, or ``None``. Never raises on what a peer sent."""
    try:
        packet = Packet.decode(data)
    except DecodeError:
        return None
    kinds = [kind for kind, _, _ in packet.chunks]
    if not kinds or packet.tag == 0 or any(kind in _SILENT for kind in kinds):
        return None
    if kinds[0] == ChunkType.SHUTDOWN_ACK:
        chunk = encode_shutdown_complete(reflected=True)
    else:
        chunk = encode_abort((), reflected=True)
    return build_packet(packet.destination_port, packet.source_port, packet.tag, [chunk])
