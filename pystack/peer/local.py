"""Our side of a negotiation, described: what transceivers, data and the transport want now, as ``pystack.sdp`` asks.

Pure: it reads and changes nothing. Used by the connection for each offer and answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pystack.aio import IceTransport
from pystack.dtls import Certificate
from pystack.peer.transceiver import Transceiver
from pystack.sdp.jsep import LocalSession, LocalTransceiver, TransportParameters

__all__ = ["describe_local"]


def describe_local(
    *,
    ice: IceTransport,
    certificate: Certificate,
    transceivers: Sequence[Transceiver],
    data: bool,
    cname: str,
    sctp_port: int,
    max_message_size: int,
    setup: Literal["active", "passive"],
) -> LocalSession:
    """Describe this side as it is now."""
    parameters = ice.local_parameters
    return LocalSession(
        transport=TransportParameters(
            ufrag=parameters.ufrag,
            pwd=parameters.pwd,
            ice_lite=parameters.lite,
            candidates=ice.local_candidates,
            end_of_candidates=ice.gathering_state == "complete",
            fingerprints=(("sha-256", certificate.fingerprint("sha-256")),),
            setup=setup,
        ),
        transceivers=tuple(_describe(transceiver, cname) for transceiver in transceivers),
        data=data,
        sctp_port=sctp_port,
        max_message_size=max_message_size,
    )


def _describe(transceiver: Transceiver, cname: str) -> LocalTransceiver:
    sender = transceiver.sender
    return LocalTransceiver(
        key=transceiver.key,
        kind=transceiver.kind,
        direction=transceiver.direction,
        mid=transceiver.mid,
        stopped=transceiver.stopped,
        from_track=transceiver.from_track,
        stream_ids=sender.stream_ids,
        track_id=sender.track_id,
        codecs=transceiver.codecs,
        prefer_local_order=transceiver.codecs_chosen,
        extensions=transceiver.extensions,
        cname=cname,
        ssrc=sender.ssrc,
        rtx_ssrc=sender.rtx_ssrc if transceiver.kind == "video" else None,
        send_rids=sender.encodings,
        receive_rids=transceiver.receiver.encodings,
    )
