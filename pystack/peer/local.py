"""Our side of a negotiation, described: what transceivers, data and the transport want now, as ``pystack.sdp`` asks.

Pure: it reads and changes nothing. Used by the connection for each offer and answer.

A section whose transceiver was stopped is rejected, with one exception: the one that owns the running transport, while
others ride on it, goes on without media. Browsers tear the transport down with its owner, and begin another with a new
DTLS association (measured with Chromium and Firefox). A peer that names its association by ``a=tls-id`` (RFC 8842), as
we do, keeps it, and no exception is made for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pystack.aio import IceTransport
from pystack.dtls import Certificate
from pystack.peer.transceiver import Transceiver
from pystack.sdp.jsep import LocalSession, LocalTransceiver, Negotiation, TransportParameters

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
    tls_id: str,
    negotiation: Negotiation,
) -> LocalSession:
    """Describe this side as it is now."""
    owner = _owner(negotiation)
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
            tls_id=tls_id,
        ),
        transceivers=tuple(_describe(transceiver, cname, owner) for transceiver in transceivers),
        data=data,
        sctp_port=sctp_port,
        max_message_size=max_message_size,
    )


def _owner(negotiation: Negotiation) -> str | None:
    """The section that owns the running transport, if others ride on it and would go down with it."""
    if negotiation.association_named:
        return None
    owner = next(iter(negotiation.bundle), None)
    shared = any(slot.mid != owner and not slot.dead for slot in negotiation.slots)
    return owner if shared else None


def _describe(transceiver: Transceiver, cname: str, owner: str | None) -> LocalTransceiver:
    sender = transceiver.sender
    stays = transceiver.stopped and transceiver.mid is not None and transceiver.mid == owner
    return LocalTransceiver(
        key=transceiver.key,
        kind=transceiver.kind,
        direction="inactive" if stays else transceiver.direction,
        mid=transceiver.mid,
        stopped=transceiver.stopped and not stays,
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
