"""What a description that was applied means for the media: it sets up the RTP session, section by section.

Idempotent: it compares what is wanted with what is there, so a renegotiation that changes nothing changes nothing.
Used by the connection after each description.
"""

from __future__ import annotations

from collections.abc import Sequence

from pystack.peer.transceiver import Transceiver
from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpSession
from pystack.sdp.attributes.direction import receives, sends
from pystack.sdp.jsep import AgreedCodec, NegotiatedSection

__all__ = ["apply_section", "apply_transport", "withdraw"]


def apply_transport(rtp: RtpSession, sections: Sequence[NegotiatedSection]) -> None:
    """Make the RTP session be what all living sections agree on, because they share it (RFC 5506 section 5)."""
    living = [section for section in sections if section.kind != "application" and not section.rejected]
    rtp.set_reduced_size(agreed=all(section.rtcp_rsize for section in living))


def apply_section(rtp: RtpSession, transceiver: Transceiver, section: NegotiatedSection) -> None:
    """Make the RTP session and the two halves of a transceiver be what the section says."""
    transceiver.current_direction = None if section.rejected else section.direction
    transceiver.used_to_send |= section.sending
    # What an extension's direction does not allow is neither read nor sent (RFC 8285 section 5).
    coming = HeaderExtensionMap((each.id, each.uri) for each in section.extensions if receives(each.direction))
    going = HeaderExtensionMap((each.id, each.uri) for each in section.extensions if sends(each.direction))
    receiver, sender = transceiver.receiver, transceiver.sender
    receiver.codecs = _specs(section.receive_codecs)
    receiver.rids = section.receive_rids
    receiver.extensions = coming
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
            extensions=coming,
            rids=section.receive_rids,
            ssrcs=[ssrc for ssrc in section.remote.ssrcs if ssrc not in repairs],
            rtx_ssrcs=repairs,
        )
    else:
        rtp.remove_receiver(transceiver.key)
    receiver.receiving = section.receiving and not transceiver.stopped
    sender.set_sending(section.sending and not transceiver.stopped)
    sender.rids = section.send_rids if sender.sending else ()
    _set_senders(rtp, transceiver, section, going)


def _set_senders(
    rtp: RtpSession, transceiver: Transceiver, section: NegotiatedSection, extensions: HeaderExtensionMap
) -> None:
    """A stream for each layer that was agreed; without layers, one."""
    sender = transceiver.sender
    repaired = any(codec.rtx_payload_type is not None for codec in sender.codecs)
    for index, sender_id in enumerate(sender.ids):
        rid = sender.encodings[index] if sender.rids else ""
        if not sender.sending or (rid not in sender.rids if sender.rids else index > 0):
            rtp.remove_sender(sender_id)
            continue
        ssrc, rtx_ssrc = sender.ssrcs_of(sender_id)
        rtp.set_sender(
            sender_id,
            mid=section.mid,
            kind=transceiver.kind,
            ssrc=ssrc,
            rtx_ssrc=rtx_ssrc if repaired else None,
            codecs=sender.codecs,
            extensions=extensions,
            rid=rid,
            mixed=section.remote.extmap_allow_mixed,
        )


def withdraw(rtp: RtpSession, transceiver: Transceiver) -> None:
    """Take a transceiver out of the RTP session."""
    transceiver.receiver.receiving = transceiver.sender.sending = False
    rtp.remove_receiver(transceiver.key)
    for sender_id in transceiver.sender.ids:
        rtp.remove_sender(sender_id)


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
