"""The values that go into a negotiation and those that come out of it (RFC 9429). All of them immutable.

Read from left to right: the peer layer describes itself with a :class:`LocalSession`; ``create_offer`` and
``create_answer`` make a :class:`LocalDescription` of it; ``apply_local`` and ``apply_remote`` give a new
:class:`Negotiation`, on which everything that was agreed can be read. Nothing here holds a transport, a track or a
clock; a transceiver is known by the integer ``key`` that the peer layer gave it, and by its mid once it has one.

Called by ``pystack.peer`` (and by whoever wants to negotiate without it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

from pystack.sdp.attributes.direction import Direction, receives, sends
from pystack.sdp.attributes.simulcast import Rid
from pystack.sdp.attributes.sources import SsrcGroup
from pystack.sdp.jsep.states import SignalingState

__all__ = [
    "AgreedCodec",
    "AgreedExtension",
    "AppliedDescription",
    "CodecCapability",
    "DescriptionType",
    "DtlsRole",
    "ExtensionCapability",
    "LocalDescription",
    "LocalSection",
    "LocalSession",
    "LocalTransceiver",
    "MediaKind",
    "NegotiatedSection",
    "Negotiation",
    "RemoteSection",
    "RemoteTransport",
    "SctpParameters",
    "SectionKind",
    "Slot",
    "TransportParameters",
]

MediaKind: TypeAlias = Literal["audio", "video"]
SectionKind: TypeAlias = str
"""``audio``, ``video``, ``application``, or whatever else a peer wrote (such a section is rejected)."""
DescriptionType: TypeAlias = Literal["offer", "answer", "pranswer"]
DtlsRole: TypeAlias = Literal["client", "server"]


# ---- what the peer layer gives


@attrs.frozen(kw_only=True)
class CodecCapability:
    """A codec that this side can take and give; list them in order of preference.

    ``fmtp`` is what this side wants to *receive* (RFC 8866 6.15); the parameters that name a profile (H.264
    ``profile-level-id`` and ``packetization-mode``, VP9 ``profile-id``, AV1 ``profile``) also decide what matches.
    ``payload_type`` and ``rtx_payload_type`` are only preferences, for our own offers, when the numbers are free.
    RED, FEC, G.722 and the like are chosen only if they are listed here.
    """

    name: str
    clock_rate: int
    channels: int = 1
    fmtp: Mapping[str, str] = attrs.field(factory=dict)
    rtcp_fb: tuple[str, ...] = ()
    rtx: bool = False
    payload_type: int | None = None
    rtx_payload_type: int | None = None


@attrs.frozen(kw_only=True)
class ExtensionCapability:
    """A header extension (RFC 8285) that this side understands, by URI, with the directions in which it is wanted."""

    uri: str
    preferred_id: int | None = None
    direction: Direction = "sendrecv"


@attrs.frozen(kw_only=True)
class LocalTransceiver:
    """What one transceiver of ours wants now.

    Attributes:
        key: the peer layer's own number for it; comes back in :attr:`LocalSection.transceiver`,
            :attr:`RemoteSection.transceiver` and :attr:`NegotiatedSection.transceiver`.
        mid: ``None`` until it was associated with a section; later the mid of that section.
        direction: wanted, from our view.
        stopped: its section is offered and answered with port 0; leave it in the list until its section is rejected in
            :attr:`Negotiation.sections`, then drop it.
        from_track: made by ``add_track``: a section that the remote newly offers may take it (RFC 9429 5.10).
        stream_ids, track_id: ``a=msid`` of what is sent (RFC 8830).
        codecs: capabilities in order of preference.
        prefer_local_order: answer in the order of ``codecs`` (codec preferences were set) and not in the offer's.
        cname, ssrc, rtx_ssrc: ``a=ssrc`` lines of what is sent; ``rtx_ssrc`` is written only where RTX was agreed.
        receive_simulcast: accept simulcast that the remote offers to send.
        receive_rids: ask for these layers in our own offers (``a=simulcast:recv``).
        send_rids: offer to send, or agree to send, these layers, in this order.
    """

    key: int
    kind: MediaKind
    direction: Direction = "sendrecv"
    mid: str | None = None
    stopped: bool = False
    from_track: bool = False
    stream_ids: tuple[str, ...] = ()
    track_id: str = ""
    codecs: tuple[CodecCapability, ...] = ()
    prefer_local_order: bool = False
    extensions: tuple[ExtensionCapability, ...] = ()
    cname: str = ""
    ssrc: int | None = None
    rtx_ssrc: int | None = None
    receive_simulcast: bool = True
    receive_rids: tuple[str, ...] = ()
    send_rids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class TransportParameters:
    """Our end of the one bundled transport.

    Attributes:
        ufrag, pwd: ICE credentials; other ones than before are an ICE restart.
        candidates: ``candidate:...`` lines as text, with or without ``a=`` in front.
        fingerprints: pairs of hash name and digest, ``("sha-256", "AB:CD:...")``.
        setup: the DTLS role that an answer of ours takes if the offer leaves the choice. Once a role was agreed, it is
            kept whatever this says. Offers always say ``actpass`` (RFC 9429 5.2.1).
        tls_id: our name of the DTLS association (``a=tls-id``, RFC 8842), 20 to 255 characters; ``""`` for none. It
            says that the association stays whatever happens to sections. Answers have it where the offer did.
    """

    ufrag: str
    pwd: str
    fingerprints: tuple[tuple[str, str], ...]
    ice_lite: bool = False
    ice_options: tuple[str, ...] = ("trickle",)
    candidates: tuple[str, ...] = ()
    end_of_candidates: bool = False
    setup: Literal["active", "passive"] = "active"
    tls_id: str = ""


@attrs.frozen(kw_only=True)
class LocalSession:
    """Everything that ``create_offer`` and ``create_answer`` need to know of this side.

    ``data`` asks for an application section in offers; an offered one is always accepted. ``max_message_size`` is what
    we receive, in bytes (RFC 8841 section 6; 0 is no limit).
    """

    transport: TransportParameters
    transceivers: tuple[LocalTransceiver, ...] = ()
    data: bool = False
    sctp_port: int = 5000
    max_message_size: int = 262144


# ---- what comes out


@attrs.frozen(kw_only=True)
class AgreedCodec:
    """A codec with its number. Field for field what the RTP layer calls ``CodecSpec``."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: Mapping[str, str] = attrs.field(factory=dict)
    rtcp_fb: tuple[str, ...] = ()
    rtx_payload_type: int | None = None


@attrs.frozen
class AgreedExtension:
    """A header extension with its id on the wire; ``direction`` is ours (``recvonly``: only the remote may send it)."""

    id: int
    uri: str
    direction: Direction = "sendrecv"


@attrs.frozen(kw_only=True)
class RemoteSection:
    """What the remote description says about one section, in the remote's view.

    Attributes:
        mid: generated here if the remote wrote none.
        transceiver: our transceiver's key; ``None`` means in a remote *offer*, unless rejected or no media: make a NEW
            transceiver with this mid, ``recvonly``.
        rejected: port 0 (without ``a=bundle-only``), outside the bundle, without ``a=rtcp-mux``, of an unknown kind or
            protocol: it will be, or was, rejected.
        direction: the remote's view: ``sendonly`` means that the remote sends.
        codecs: all that it listed (RTX folded into ``rtx_payload_type``).
        extensions: all that it listed, direction in the remote's view.
        ssrcs, ssrc_groups, cname: of what it sends; empty if its direction does not send.
        rids: the layers that it sends by ``a=simulcast:send`` in its order; empty without simulcast.
        receive_rids: the layers that it wants from us (``a=simulcast:recv``).
        stream_ids, track_id: its ``a=msid``; empty if it does not send.
        simulcast: whether ``rids`` or ``receive_rids`` came with ``a=simulcast`` (``a=rid`` can stand alone).
        has_mid: whether the remote wrote ``a=mid``.
        sctp_port, max_message_size: of an application section.
    """

    index: int
    mid: str
    kind: SectionKind
    transceiver: int | None = None
    rejected: bool = False
    direction: Direction = "sendrecv"
    codecs: tuple[AgreedCodec, ...] = ()
    extensions: tuple[AgreedExtension, ...] = ()
    ssrcs: tuple[int, ...] = ()
    ssrc_groups: tuple[SsrcGroup, ...] = ()
    cname: str = ""
    rids: tuple[Rid, ...] = ()
    receive_rids: tuple[Rid, ...] = ()
    stream_ids: tuple[str, ...] = ()
    track_id: str = ""
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    protocol: str = ""
    formats: tuple[str, ...] = ()
    extmap_allow_mixed: bool = False
    simulcast: bool = False
    has_mid: bool = True
    sctp_port: int = 5000
    max_message_size: int = 65536


@attrs.frozen(kw_only=True)
class NegotiatedSection:
    """What both sides agreed for one section, in our view.

    Attributes:
        transceiver: our key (``None`` for data, and for a rejected section that has none).
        rejected: dead; its transceiver is stopped, its place in the order may be taken by another later.
        direction: ours.
        send_codecs: in order of preference, with the payload types and the ``fmtp`` of the side that receives them.
        receive_codecs: with our payload types and ``fmtp``; both lists have the offer's numbers in the ordinary case.
        extensions: agreed, with directions in our view.
        receive_rids: layers that will come, by rid; empty without simulcast.
        send_rids: layers that we were asked for and offered.
        remote: everything that the remote said about its side.
    """

    index: int
    mid: str
    kind: SectionKind
    transceiver: int | None
    rejected: bool
    direction: Direction
    remote: RemoteSection
    send_codecs: tuple[AgreedCodec, ...] = ()
    receive_codecs: tuple[AgreedCodec, ...] = ()
    extensions: tuple[AgreedExtension, ...] = ()
    receive_rids: tuple[str, ...] = ()
    send_rids: tuple[str, ...] = ()
    rtcp_rsize: bool = False

    @property
    def sending(self) -> bool:
        """Whether we may send media here."""
        return not self.rejected and sends(self.direction)

    @property
    def receiving(self) -> bool:
        """Whether media may come here."""
        return not self.rejected and receives(self.direction)


@attrs.frozen(kw_only=True)
class RemoteTransport:
    """The remote end of the bundled transport, from the latest remote description, pending ones included.

    ``mid`` is the section whose candidates count (those trickled for another section of the bundle do not);
    ``candidates`` are ``candidate:...`` texts without ``a=``; ``tls_id`` is ``""`` if it wrote none.
    """

    mid: str
    index: int
    ufrag: str
    pwd: str
    ice_lite: bool = False
    ice_options: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    end_of_candidates: bool = False
    fingerprints: tuple[tuple[str, str], ...] = ()
    setup: Literal["actpass", "active", "passive", "holdconn"] = "actpass"
    tls_id: str = ""


@attrs.frozen(kw_only=True)
class SctpParameters:
    """The remote end of the association: its port and the largest message in bytes that it takes (0 is no limit)."""

    mid: str
    remote_port: int
    max_message_size: int


@attrs.frozen(kw_only=True)
class LocalSection:
    """One section of a description of ours; kept, so that an answer can be read against what was offered."""

    index: int
    mid: str
    kind: SectionKind
    transceiver: int | None = None
    rejected: bool = False
    direction: Direction = "inactive"
    codecs: tuple[AgreedCodec, ...] = ()
    extensions: tuple[AgreedExtension, ...] = ()
    receive_rids: tuple[str, ...] = ()
    send_rids: tuple[str, ...] = ()
    msid: tuple[tuple[str, ...], str] = ((), "")


@attrs.frozen(kw_only=True)
class LocalDescription:
    """What ``create_offer`` or ``create_answer`` made: the text to signal, and what it means, for ``apply_local``.

    ``sections`` tells the peer layer which transceiver got which mid; set it when the description is *applied*.
    """

    type: DescriptionType
    text: str
    sections: tuple[LocalSection, ...]
    version: int
    """The ``o=`` version of the text."""
    epoch: int
    """The :attr:`Negotiation.epoch` that it was made for: a description made before another was applied is stale."""
    transport: TransportParameters
    next_mid: int = 0
    agreed: tuple[NegotiatedSection, ...] = ()
    """For answers: what will be in force once it is applied."""
    dtls_role: DtlsRole | None = None
    bundle: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class AppliedDescription:
    """A description as it was applied."""

    type: DescriptionType
    text: str


@attrs.frozen(kw_only=True)
class Slot:
    """One m-line of the session; the order never changes and none is ever removed (RFC 9429 5.2.2).

    ``dead`` means that both sides know it as rejected: a new section, also of another kind, may take the place.
    """

    mid: str
    kind: SectionKind
    dead: bool = False


@attrs.frozen(kw_only=True)
class Negotiation:
    """Where a negotiation stands. Make the first with :func:`pystack.sdp.jsep.start`, later ones by applying.

    Attributes:
        state: signaling state.
        sections: what is in force, by index: changed by a (provisional) answer of either side, never by an offer.
        remote_sections: what the latest remote description says, by index: changed by remote offers and answers.
        transport: the remote transport from the latest remote description.
        dtls_role: ours; ``None`` before the first answer.
        sctp: set once a data section was agreed.
        bundle: mids of the bundle in force.
        remote_ice_restart: the latest remote description changed the remote credentials of a running transport: an
            answer should carry new local ones.
        slots: the m-lines, pending ones included. After a rollback a transceiver whose mid is not in :attr:`mids`
            goes back to having none.
        current_local, current_remote, pending_local, pending_remote: as in the W3C API.
        version: of the last ``o=`` line of ours.
        epoch: counts applied descriptions, to tell stale ones.
        payload_types, extension_ids: every number used so far by either side and for what, so that none changes its
            meaning in a later offer of ours.
        before: the stable value that a rollback restores; ``None`` while stable.
    """

    session_id: int
    state: SignalingState = SignalingState.STABLE
    sections: tuple[NegotiatedSection, ...] = ()
    remote_sections: tuple[RemoteSection, ...] = ()
    transport: RemoteTransport | None = None
    dtls_role: DtlsRole | None = None
    sctp: SctpParameters | None = None
    bundle: tuple[str, ...] = ()
    remote_ice_restart: bool = False
    slots: tuple[Slot, ...] = ()
    current_local: AppliedDescription | None = None
    current_remote: AppliedDescription | None = None
    pending_local: AppliedDescription | None = None
    pending_remote: AppliedDescription | None = None
    version: int = 0
    epoch: int = 0
    offered: LocalDescription | None = None
    """Our pending offer, which the remote's answer will be read against."""
    last_local: tuple[LocalSection, ...] = ()
    """The sections of our description that is in force."""
    remote_bundle: tuple[str, ...] = ()
    """The ``a=group:BUNDLE`` of the latest remote description; empty if it wrote none."""
    next_mid: int = 0
    payload_types: Mapping[int, tuple[str, ...]] = attrs.field(factory=dict)
    extension_ids: Mapping[int, str] = attrs.field(factory=dict)
    before: Negotiation | None = attrs.field(default=None, repr=False)

    @property
    def mids(self) -> frozenset[str]:
        """The mids of all m-lines, pending ones included."""
        return frozenset(slot.mid for slot in self.slots)

    @property
    def association_named(self) -> bool:
        """Whether the peer names its DTLS association (``a=tls-id``), and so keeps it whatever happens to sections."""
        return self.transport is not None and bool(self.transport.tls_id)

    @property
    def local_description(self) -> AppliedDescription | None:
        """The pending local description, else the current one."""
        return self.pending_local or self.current_local

    @property
    def remote_description(self) -> AppliedDescription | None:
        """The pending remote description, else the current one."""
        return self.pending_remote or self.current_remote

    def section(self, mid: str) -> NegotiatedSection | None:
        """Return what is in force for ``mid``, or ``None``."""
        return next((section for section in self.sections if section.mid == mid), None)
