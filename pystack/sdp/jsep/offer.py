"""``create_offer`` (RFC 9429 5.2): every m-line in its place, then what is new, then data if it is new.

The text is a function of the arguments alone, so creating twice gives the same. A transceiver without a section takes a
dead m-line before it gets one of its own (RFC 9429 5.2.2). One in front of the first living m-line is taken only if the
peer names its DTLS association (RFC 8842), and so keeps it: Chromium would build a new transport, or refuse.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from pystack.errors import InvalidArgument, LocalProtocolError
from pystack.sdp.attributes.direction import receives, sends
from pystack.sdp.jsep.model import (
    LocalDescription,
    LocalSection,
    LocalSession,
    LocalTransceiver,
    NegotiatedSection,
    Negotiation,
    RemoteSection,
    Slot,
)
from pystack.sdp.jsep.numbers import ExtensionIds, PayloadTypes
from pystack.sdp.jsep.sections import compose, order_bundle, write_section
from pystack.sdp.jsep.states import SignalingState

__all__ = ["check_transport", "create_offer", "stable_base"]


def create_offer(negotiation: Negotiation, local: LocalSession) -> LocalDescription:
    """Make an offer for what ``local`` wants now. Nothing changes until it is applied.

    Raises:
        LocalProtocolError: not legal in this state (only ``stable`` and ``have-local-offer``).
        InvalidArgument: a transceiver without codecs, no fingerprint, text that does not fit into a description.
    """
    if negotiation.state not in (SignalingState.STABLE, SignalingState.HAVE_LOCAL_OFFER):
        raise LocalProtocolError("create offer", negotiation.state.value)
    check_transport(local)
    base = stable_base(negotiation)
    plan = _Plan(base, local)
    for index, slot in enumerate(base.slots):
        plan.continue_slot(index, slot)
    plan.append_new()
    version = negotiation.version + 1
    bundle = order_bundle(base.bundle, [section.mid for section in plan.sections if not section.rejected])
    tagged = bundle[0] if bundle else None
    media = [
        write_section(
            section,
            local,
            setup="actpass",
            with_candidates=section.mid == tagged,
            tls_id=local.transport.tls_id,
            transceiver=plan.by_mid.get(section.mid),
        )
        for section in plan.sections
    ]
    return LocalDescription(
        type="offer",
        text=compose(
            negotiation.session_id,
            version,
            media,
            bundle=bundle,
            ice_lite=local.transport.ice_lite,
            extmap_allow_mixed=True,
        ),
        sections=tuple(plan.sections),
        version=version,
        epoch=negotiation.epoch,
        transport=local.transport,
        bundle=bundle,
        next_mid=plan.next_mid,
    )


def stable_base(negotiation: Negotiation) -> Negotiation:
    """Return the stable value that a pending offer was laid upon; ``negotiation`` itself while stable."""
    return negotiation if negotiation.before is None else negotiation.before


def check_transport(local: LocalSession) -> None:
    """Refuse parameters with which no description can be written."""
    if not local.transport.fingerprints:
        raise InvalidArgument("transport.fingerprints is empty: a certificate's fingerprint is needed")


class _Plan:
    """The sections of one offer while they are being put together."""

    def __init__(self, base: Negotiation, local: LocalSession) -> None:
        self.sections: list[LocalSection] = []
        self.by_mid: dict[str, LocalTransceiver] = {}
        self.next_mid = base.next_mid
        self._local = local
        self._agreed: Mapping[str, NegotiatedSection] = {one.mid: one for one in base.sections}
        self._remote: Mapping[str, RemoteSection] = {one.mid: one for one in base.remote_sections}
        self._numbers = PayloadTypes(base.payload_types)
        self._ids = ExtensionIds(base.extension_ids)
        mids: Collection[str] = base.mids
        self._stays = base.association_named
        self._living = living = {slot.mid for slot in base.slots if not slot.dead}
        self._placed = {one.mid: one for one in local.transceivers if one.mid is not None and one.mid in living}
        # A mid that the base does not know was given by an offer that this one replaces: it is kept. One whose m-line
        # is dead was rejected: its transceiver has nothing to wait for.
        self._waiting = deque(
            one for one in local.transceivers if not one.stopped and (one.mid is None or one.mid not in mids)
        )
        self._taken = {*mids, *(one.mid for one in local.transceivers if one.mid is not None)}
        self._wants_data = local.data and not any(slot.kind == "application" and not slot.dead for slot in base.slots)

    def continue_slot(self, index: int, slot: Slot) -> None:
        """Decide what becomes of an m-line that exists."""
        if slot.dead:
            usable = self._stays or any(not section.rejected for section in self.sections) or not self._living
            if usable and self._waiting:
                self._add_media(self._waiting.popleft())
            elif usable and self._wants_data:
                self._add_data()
            else:
                self._add_rejected(slot)
            return
        transceiver = self._placed.get(slot.mid)
        if slot.kind == "application":
            self.sections.append(LocalSection(index=index, mid=slot.mid, kind=slot.kind, direction="sendrecv"))
        elif transceiver is None or transceiver.stopped:
            self._add_rejected(slot)
        else:
            self._add_media(transceiver, slot.mid)

    def append_new(self) -> None:
        """Add what has no m-line yet."""
        while self._waiting:
            self._add_media(self._waiting.popleft())
        if self._wants_data:
            self._add_data()

    def _add_rejected(self, slot: Slot) -> None:
        remote = self._remote.get(slot.mid)
        agreed = self._agreed.get(slot.mid)
        codecs = (agreed.receive_codecs if agreed else ()) or (remote.codecs if remote else ())
        self.sections.append(
            LocalSection(index=len(self.sections), mid=slot.mid, kind=slot.kind, rejected=True, codecs=codecs[:1])
        )

    def _add_data(self) -> None:
        self._wants_data = False
        self.sections.append(
            LocalSection(index=len(self.sections), mid=self._new_mid(None), kind="application", direction="sendrecv")
        )

    def _add_media(self, transceiver: LocalTransceiver, mid: str | None = None) -> None:
        mid = mid or self._new_mid(transceiver.mid)
        agreed = self._agreed.get(mid)
        codecs = self._numbers.assign(transceiver.codecs, agreed.receive_codecs if agreed else ())
        if not codecs:
            raise InvalidArgument(f"the {transceiver.kind} transceiver {transceiver.key} has no codec to offer")
        self.by_mid[mid] = transceiver
        direction = transceiver.direction
        # Layers that come already are asked for again, and keep their names from ours: an offer without them would end
        # the simulcast, and who offers next would turn its direction round.
        coming = agreed.receive_rids if agreed and receives(direction) and transceiver.receive_simulcast else ()
        send_rids = tuple(rid for rid in transceiver.send_rids if rid not in coming) if sends(direction) else ()
        asked = transceiver.receive_rids or coming
        self.sections.append(
            LocalSection(
                index=len(self.sections),
                mid=mid,
                kind=transceiver.kind,
                transceiver=transceiver.key,
                direction=direction,
                codecs=codecs,
                extensions=self._ids.assign(transceiver.extensions),
                msid=(transceiver.stream_ids, transceiver.track_id),
                send_rids=send_rids,
                receive_rids=tuple(rid for rid in asked if rid not in send_rids) if receives(direction) else (),
            )
        )

    def _new_mid(self, wish: str | None) -> str:
        if wish is not None and wish not in self.by_mid:
            return wish
        while str(self.next_mid) in self._taken:
            self.next_mid += 1
        mid = str(self.next_mid)
        self._taken.add(mid)
        self.next_mid += 1
        return mid
