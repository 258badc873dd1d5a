"""What a description that was applied means for the media: it sets up the RTP session, section by section.

Idempotent: it compares what is wanted with what is there, so a renegotiation that changes nothing changes nothing.
Used by the connection after each description.
"""

from __future__ import annotations

from pystack.peer.transceiver import Transceiver
from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpSession
from pystack.sdp.jsep import AgreedCodec, NegotiatedSection

__all__ = ["apply_section", "withdraw"]


def apply_section(rtp: RtpSession, transceiver: Transceiver, section: NegotiatedSection) -> None:
    """Make the RTP session and the two halves of a transceiver be what the section says."""
    transceiver.current_direction = None if section.rejected else section.direction
    extensions = HeaderExtensionMap((extension.id, extension.uri) for extension in section.extensions)
    receiver, sender = transceiver.receiver, transceiver.sender
    receiver.codecs = _specs(section.receive_codecs)
    receiver.rids = section.receive_rids
    receiver.extensions = extensions
    sender.codecs = _specs(section.send_codecs)
    if section.receiving and not transceiver.stopped:
        repairs = {
            group.ssrcs[1]: group.ssrcs[0]
            for group in section.remote.ssrc_groups
            if group.semantics == "FID" and len(group.ssrcs) == 2
        }
        rtp.set_receiver(
            transceiver.key,
            mid=section.mid,
            kind=transceiver.kind,
            codecs=receiver.codecs,
            extensions=extensions,
            rids=section.receive_rids,
            ssrcs=[ssrc for ssrc in section.remote.ssrcs if ssrc not in repairs],
            rtx_ssrcs=repairs,
        )
    else:
        rtp.remove_receiver(transceiver.key)
    receiver.receiving = section.receiving and not transceiver.stopped
    sender.sending = section.sending and not transceiver.stopped
    if sender.sending:
        repaired = any(codec.rtx_payload_type is not None for codec in sender.codecs)
        rtp.set_sender(
            transceiver.key,
            mid=section.mid,
            kind=transceiver.kind,
            ssrc=sender.ssrc,
            rtx_ssrc=sender.rtx_ssrc if repaired else None,
            codecs=sender.codecs,
            extensions=extensions,
        )
    else:
        rtp.remove_sender(transceiver.key)


def withdraw(rtp: RtpSession, transceiver: Transceiver) -> None:
    """Take a transceiver out of the RTP session."""
    transceiver.receiver.receiving = transceiver.sender.sending = False
    rtp.remove_receiver(transceiver.key)
    rtp.remove_sender(transceiver.key)


def _specs(codecs: tuple[AgreedCodec, ...]) -> tuple[CodecSpec, ...]:
    return tuple(
        CodecSpec(
            payload_type=codec.payload_type,
            name=codec.name,
            clock_rate=codec.clock_rate,
            channels=codec.channels,
            fmtp=codec.fmtp,
            rtcp_fb=codec.rtcp_fb,
            rtx_payload_type=codec.rtx_payload_type,
        )
        for codec in codecs
    )
