"""To whom a packet of an unknown SSRC belongs (RFC 8843 section 9.2, RFC 8852; simulcast by RFC 8853).

By the media section's name in the packet, else by an SSRC that was signalled, else by a payload type that only one
section has; within a section by the stream's name. What is found is latched per SSRC. Each stream holds one SSRC of
media and one of retransmissions, and a newcomer replaces the one before it, so however many SSRCs a peer invents, what
is kept is bounded by what was negotiated; and it may do so now and then, not with every packet, because whoever listens
is told of each. Called by the session's inbound part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pystack.rtp.codec import CodecSpec
from pystack.rtp.extensions import HeaderExtensionMap, find
from pystack.rtp.packet import RtpPacket
from pystack.rtp.streams.receiver import ReceiveStream

__all__ = ["Demux", "Receiver", "Route"]

TRANSPORT_CC: Final = "transport-cc"
CHANGES: Final = 10.0
"""How often the SSRC of a stream may change at once, and then once a second."""


class Receiver:
    """What one media section receives.

    Attributes:
        receiver_id: the caller's number for it.
        mid: the media section's name.
        kind: ``audio`` or ``video``.
        codecs: by payload type, retransmission formats not included.
        repairs: payload types of retransmissions, with what they repair.
        extensions: what the ids mean.
        rids: names of the simulcast streams, lowest first; empty without simulcast.
        ssrcs: signalled SSRCs of media.
        rtx_ssrcs: signalled SSRCs of retransmissions, with the media that they repair.
        streams: what is being received, by rid (the empty one without simulcast).
        feedback: everything that any codec accepts.
        told: payload types whose arrivals are told by transport-wide feedback: that is agreed for a codec, and holds
            for its retransmissions (RFC 4585 section 4.2).
    """

    __slots__ = (
        "codecs",
        "extensions",
        "feedback",
        "kind",
        "mid",
        "receiver_id",
        "repairs",
        "rids",
        "rtx_ssrcs",
        "ssrcs",
        "streams",
        "told",
    )

    def __init__(self, receiver_id: int) -> None:
        self.receiver_id = receiver_id
        self.streams: dict[str, ReceiveStream] = {}
        self.configure("", "", (), HeaderExtensionMap(), (), (), {})

    def configure(
        self,
        mid: str,
        kind: str,
        codecs: Sequence[CodecSpec],
        extensions: HeaderExtensionMap,
        rids: Sequence[str],
        ssrcs: Sequence[int],
        rtx_ssrcs: Mapping[int, int],
    ) -> None:
        """Take what was negotiated, at the start or again."""
        self.mid = mid
        self.kind = kind
        self.extensions = extensions
        self.rids = tuple(rids)
        self.ssrcs = frozenset(ssrcs)
        self.rtx_ssrcs = dict(rtx_ssrcs)
        self.codecs = {each.payload_type: each for each in codecs if each.name.lower() != "rtx"}
        self.repairs = {
            each.rtx_payload_type: each.payload_type for each in codecs if each.rtx_payload_type is not None
        }
        for each in codecs:
            apt = each.fmtp.get("apt", "")
            if each.name.lower() == "rtx" and apt.isdecimal() and int(apt) in self.codecs:
                self.repairs[each.payload_type] = int(apt)
        self.feedback = frozenset(name for each in codecs for name in each.rtcp_fb)
        told = {each.payload_type for each in codecs if TRANSPORT_CC in each.rtcp_fb}
        if not extensions.transport_sequence:
            told.clear()
        self.told = frozenset(told | {repair for repair, media in self.repairs.items() if media in told})
        for stream in self.streams.values():
            stream.configure(self.codecs)


class Route:
    """Where the packets of one SSRC go.

    Attributes:
        receiver: the media section.
        rid: the stream in it.
        repair: whether these are retransmissions.
        media: the SSRC that these repair; ``None`` before the first that does. It stays, because a late one means the
            stream that it was sent for, not the one that came in its place (RFC 4588 section 5.3).
    """

    __slots__ = ("media", "receiver", "repair", "rid")

    def __init__(self, receiver: Receiver, rid: str, repair: bool, media: int | None = None) -> None:
        self.receiver = receiver
        self.rid = rid
        self.repair = repair
        self.media = media


class Demux:
    """Routes by SSRC, and how new ones are found.

    Attributes:
        receivers: by their id.
        routes: by SSRC; the hot path looks here first.
        transport_id: the id of the transport-wide number in this bundle; 0 if no arrivals are told.
        tells_all: whether the arrivals of all packets that have such a number are told; if not, ask :meth:`tells`.
    """

    __slots__ = ("_by_mid", "_changes", "_mid_ids", "_occupied", "receivers", "routes", "tells_all", "transport_id")

    def __init__(self) -> None:
        self.receivers: dict[int, Receiver] = {}
        self.routes: dict[int, Route] = {}
        self.transport_id = 0
        self.tells_all = True
        self._by_mid: dict[str, Receiver] = {}
        self._mid_ids: tuple[int, ...] = ()
        self._occupied: dict[tuple[int, str, bool], int] = {}
        self._changes: dict[tuple[int, str, bool], tuple[float, float]] = {}

    def obtain(self, receiver_id: int) -> Receiver:
        """Find or add a receiver, to be configured and announced by :meth:`changed`."""
        receiver = self.receivers.get(receiver_id)
        if receiver is None:
            receiver = self.receivers[receiver_id] = Receiver(receiver_id)
        return receiver

    def remove(self, receiver_id: int) -> None:
        """Remove a receiver and its routes; harmless when there is none."""
        if self.receivers.pop(receiver_id, None) is not None:
            for key, ssrc in list(self._occupied.items()):
                if key[0] == receiver_id:
                    self.forget(ssrc)
            for key in [each for each in self._changes if each[0] == receiver_id]:
                del self._changes[key]
            self.changed()

    def changed(self) -> None:
        """Rebuild what is derived from the receivers, after any of them was configured."""
        self._by_mid = {each.mid: each for each in self.receivers.values() if each.mid}
        self._mid_ids = tuple(dict.fromkeys(each.extensions.mid for each in self.receivers.values()))
        numbered = [each for each in self.receivers.values() if each.extensions.transport_sequence]
        self.transport_id = next((each.extensions.transport_sequence for each in numbered if each.told), 0)
        self.tells_all = all(len(each.told) == len(each.codecs) + len(each.repairs) for each in numbered)
        for ssrc, route in list(self.routes.items()):
            if route.repair and ssrc in route.receiver.rtx_ssrcs:
                route.media = route.receiver.rtx_ssrcs[ssrc]
            if route.receiver.rids and route.rid not in route.receiver.rids:
                self.forget(ssrc)

    def tells(self, packet: RtpPacket) -> bool:
        """Whether the arrival of a packet is told, by its section and codec."""
        route = self.routes.get(packet.ssrc)
        receiver = self._receiver_of(packet) if route is None else route.receiver
        return not isinstance(receiver, str) and packet.payload_type in receiver.told

    def is_described(self, ssrc: int) -> bool:
        """Whether SDP names this SSRC for media."""
        return any(ssrc in each.ssrcs for each in self.receivers.values())

    def forget(self, ssrc: int) -> None:
        """Remove the route of ``ssrc``, if there is one, and the stream that it carried."""
        route = self.routes.pop(ssrc, None)
        if route is None:
            return
        del self._occupied[route.receiver.receiver_id, route.rid, route.repair]
        if not route.repair:
            route.receiver.streams.pop(route.rid, None)

    def resolve(self, packet: RtpPacket) -> Route | str:
        """Find and latch the route of a packet whose SSRC has none; or say why there is none."""
        found = self._receiver_of(packet)
        if isinstance(found, str):
            return found
        repair = packet.payload_type in found.repairs
        if not repair:
            codec = found.codecs.get(packet.payload_type)
            if codec is None:
                return "payload-type"
            if codec.name.lower().startswith("flexfec"):
                return "fec"  # a stream of its own that must not replace the media
        rid = self._rid_of(packet, found, repair)
        if rid is None:
            return "unknown-rid"
        key = (found.receiver_id, rid, repair)
        before = self._occupied.get(key)
        if not self._may_change(key, packet.arrival):
            return "ssrc-changes"
        if before is not None:
            self.forget(before)
        media = found.rtx_ssrcs.get(packet.ssrc) if repair else None
        route = self.routes[packet.ssrc] = Route(found, rid, repair, media)
        self._occupied[key] = packet.ssrc
        return route

    def _may_change(self, key: tuple[int, str, bool], now: float) -> bool:
        credit, since = self._changes.get(key, (CHANGES, now))
        credit = min(CHANGES, credit + now - since)
        if credit < 1:
            return False
        self._changes[key] = credit - 1, now
        return True

    def _receiver_of(self, packet: RtpPacket) -> Receiver | str:
        for identifier in self._mid_ids:
            value = find(packet.extension_profile, packet.extension, identifier) if identifier else None
            if value is not None:
                return self._by_mid.get(value.decode("latin-1"), "unknown-mid")
        receivers = self.receivers.values()
        for each in receivers:
            if packet.ssrc in each.ssrcs or packet.ssrc in each.rtx_ssrcs:
                return each
        payload_type = packet.payload_type
        candidates = [each for each in receivers if payload_type in each.codecs or payload_type in each.repairs]
        return candidates[0] if len(candidates) == 1 else "unknown-ssrc"

    def _rid_of(self, packet: RtpPacket, receiver: Receiver, repair: bool) -> str | None:
        if not receiver.rids:
            return ""
        extensions = receiver.extensions
        for identifier in (extensions.repaired_rid, extensions.rid) if repair else (extensions.rid,):
            value = find(packet.extension_profile, packet.extension, identifier) if identifier else None
            if value is not None:
                name = value.decode("latin-1")
                return name if name in receiver.rids else None
        if repair:
            media = self.routes.get(receiver.rtx_ssrcs.get(packet.ssrc, -1))
            if media is not None and media.receiver is receiver:
                return media.rid
        return None
