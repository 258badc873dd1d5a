"""Two sides negotiate at random and must always agree (RFC 9429; the machine that issue 4 of the plan asks for).

Each side is what the peer layer is: a list of transceivers, an immutable negotiation, and the few rules that the
documentation of ``Negotiation`` gives. Offers come from either side, collide, are rolled back, replaced, answered
provisionally; transceivers come, with simulcast or without, turn, stop, and prefer other codecs; m-lines are used
again; data is added; ICE is restarted.
"""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pystack.sdp import parse, write
from pystack.sdp.attributes.direction import DIRECTIONS, intersect, reverse
from pystack.sdp.jsep import (
    RID_URI,
    CodecCapability,
    ExtensionCapability,
    LocalDescription,
    LocalSession,
    LocalTransceiver,
    Negotiation,
    SignalingState,
    TransportParameters,
    apply_local,
    apply_remote,
    create_answer,
    create_offer,
    needs_negotiation,
    rollback,
    start,
)
from pystack.sdp.jsep.matching import identity

FEEDBACK = ("nack", "nack pli", "ccm fir", "transport-cc")


def _codec(name: str, number: int | None = None, **fmtp: str) -> CodecCapability:
    parameters = {key.replace("_", "-"): value for key, value in fmtp.items()}
    return CodecCapability(
        name=name, clock_rate=90000, fmtp=parameters, rtcp_fb=FEEDBACK, rtx=name != "AV1", payload_type=number
    )


OPUS = CodecCapability(name="opus", clock_rate=48000, channels=2, fmtp={"useinbandfec": "1"}, payload_type=111)
PCMU = CodecCapability(name="PCMU", clock_rate=8000, payload_type=0)
RED = CodecCapability(name="red", clock_rate=48000, channels=2, payload_type=63)
CODECS = {
    ("a", "audio"): (OPUS, RED),
    ("b", "audio"): (PCMU, OPUS),
    ("a", "video"): (
        _codec("VP8", 96),
        _codec("H264", 102, profile_level_id="42e01f", packetization_mode="1", level_asymmetry_allowed="1"),
        _codec("VP9", 98, profile_id="0"),
    ),
    ("b", "video"): (
        _codec("VP9", 96, profile_id="0"),
        _codec("AV1", 97),
        _codec("H264", 98, profile_level_id="42e034", packetization_mode="1"),
        _codec("VP8", 120),
    ),
}
EXTENSIONS = {
    "a": tuple(ExtensionCapability(uri=uri, preferred_id=i + 1) for i, uri in enumerate(("urn:x:mid", RID_URI))),
    "b": (
        ExtensionCapability(uri=RID_URI, preferred_id=1),
        ExtensionCapability(uri="urn:x:level", preferred_id=4, direction="recvonly"),
        ExtensionCapability(uri="urn:x:mid", preferred_id=9),
        ExtensionCapability(uri="urn:x:only-b", preferred_id=3),
    ),
}


class Side:
    """The part of the peer layer that a negotiation needs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.negotiation: Negotiation = start(1 if name == "a" else 2)
        self.transceivers: dict[int, LocalTransceiver] = {}
        self.made_by_remote: set[int] = set()
        self.data = False
        self.generation = 0
        self.keys = 0
        self.offer: LocalDescription | None = None

    @property
    def local(self) -> LocalSession:
        return LocalSession(
            transport=TransportParameters(
                ufrag=f"ufrag{self.name}{self.generation}",
                pwd="p" * 24,
                fingerprints=(("sha-256", ":".join([f"{ord(self.name):02X}"] * 32)),),
                setup="active" if self.name == "a" else "passive",
            ),
            transceivers=tuple(self.transceivers.values()),
            data=self.data,
        )

    def add(
        self,
        kind: Any,
        direction: Any,
        count: int,
        mid: str | None = None,
        from_track: bool = False,
        send_rids: tuple[str, ...] = (),
    ) -> None:
        self.keys += 1
        self.transceivers[self.keys] = LocalTransceiver(
            key=self.keys,
            kind=kind,
            direction=direction,
            mid=mid,
            from_track=from_track,
            stream_ids=("stream",),
            track_id=f"{self.name}{self.keys}",
            codecs=CODECS[self.name, kind][:count],
            extensions=EXTENSIONS[self.name],
            cname=self.name,
            ssrc=self.keys * 2,
            rtx_ssrc=self.keys * 2 + 1,
            send_rids=send_rids,
        )

    def change(self, key: int, **changes: Any) -> None:
        self.transceivers[key] = attrs.evolve(self.transceivers[key], **changes)

    def make_offer(self) -> str:
        offer = create_offer(self.negotiation, self.local)
        assert create_offer(self.negotiation, self.local) == offer, "an offer is a function of its arguments"
        self.negotiation = apply_local(self.negotiation, offer)
        for section in offer.sections:
            if section.transceiver is not None:
                self.change(section.transceiver, mid=section.mid)
        return offer.text

    def take_offer(self, text: str) -> None:
        self.negotiation = apply_remote(self.negotiation, "offer", text, self.local)
        for section in self.negotiation.remote_sections:
            if section.rejected or section.kind == "application":
                continue
            if section.transceiver is None:
                self.add(section.kind, "sendrecv", 9, mid=section.mid)
                self.made_by_remote.add(self.keys)
            else:
                self.change(section.transceiver, mid=section.mid)

    def make_answer(self, provisional: bool) -> str:
        answer = create_answer(self.negotiation, self.local, provisional=provisional)
        self.negotiation = apply_local(self.negotiation, answer)
        self._drop_rejected()
        return answer.text

    def take_answer(self, text: str, provisional: bool) -> None:
        self.negotiation = apply_remote(self.negotiation, "pranswer" if provisional else "answer", text, self.local)
        self._drop_rejected()

    def undo(self) -> None:
        self.negotiation = rollback(self.negotiation)
        for key, one in list(self.transceivers.items()):
            if one.mid is not None and one.mid not in self.negotiation.mids:
                if key in self.made_by_remote:
                    del self.transceivers[key]
                else:
                    self.change(key, mid=None)

    def _drop_rejected(self) -> None:
        self.made_by_remote.clear()
        if self.negotiation.state is SignalingState.STABLE:
            for section in self.negotiation.sections:
                if section.rejected and section.transceiver in self.transceivers:
                    del self.transceivers[section.transceiver]
        for key, one in list(self.transceivers.items()):
            if one.stopped and one.mid is None:
                del self.transceivers[key]


class NegotiationMachine(RuleBasedStateMachine):
    """``stage``: nobody offered; offered but not delivered; delivered; answered provisionally."""

    @initialize()
    def begin(self) -> None:
        self.sides = {"a": Side("a"), "b": Side("b")}
        self.offerer = "a"
        self.stage = "stable"
        self.text = ""
        self.numbers: dict[int, tuple[str, ...]] = {}
        self.order: list[tuple[str, bool]] = []
        self.roles: tuple[Any, Any] | None = None

    def _other(self, name: str) -> Side:
        return self.sides["b" if name == "a" else "a"]

    # ---- what a side wants

    @rule(
        name=st.sampled_from("ab"),
        kind=st.sampled_from(("audio", "video")),
        direction=st.sampled_from(DIRECTIONS),
        count=st.integers(1, 4),
        from_track=st.booleans(),
        rids=st.sampled_from(((), (), ("q", "h", "f"), ("h",), ("x", "q"))),
    )
    def add_transceiver(
        self, name: str, kind: str, direction: str, count: int, from_track: bool, rids: tuple[str, ...]
    ) -> None:
        if len(self.sides[name].transceivers) < 6:
            layers = rids if kind == "video" else ()
            self.sides[name].add(kind, direction, count, from_track=from_track, send_rids=layers)
            event("simulcast" if layers else "one stream")

    @rule(name=st.sampled_from("ab"), data=st.data())
    def prefer_codecs(self, name: str, data: st.DataObject) -> None:
        side = self.sides[name]
        if side.transceivers:
            key = data.draw(st.sampled_from(sorted(side.transceivers)))
            codecs = data.draw(st.permutations(side.transceivers[key].codecs))
            side.change(key, codecs=tuple(codecs), prefer_local_order=True)

    @rule(name=st.sampled_from("ab"), data=st.data(), willing=st.booleans())
    def take_layers(self, name: str, data: st.DataObject, willing: bool) -> None:
        side = self.sides[name]
        if side.transceivers:
            side.change(data.draw(st.sampled_from(sorted(side.transceivers))), receive_simulcast=willing)

    @rule(name=st.sampled_from("ab"), data=st.data(), direction=st.sampled_from(DIRECTIONS))
    def turn(self, name: str, data: st.DataObject, direction: str) -> None:
        side = self.sides[name]
        if side.transceivers:
            side.change(data.draw(st.sampled_from(sorted(side.transceivers))), direction=direction)

    @rule(name=st.sampled_from("ab"), data=st.data())
    def stop(self, name: str, data: st.DataObject) -> None:
        side = self.sides[name]
        if side.transceivers:
            side.change(data.draw(st.sampled_from(sorted(side.transceivers))), stopped=True)

    @rule(name=st.sampled_from("ab"))
    def want_data(self, name: str) -> None:
        self.sides[name].data = True

    @rule(name=st.sampled_from("ab"))
    def restart_ice(self, name: str) -> None:
        self.sides[name].generation += 1

    # ---- exchanges

    @precondition(lambda self: self.stage in ("stable", "offered"))
    @rule(name=st.sampled_from("ab"))
    def offer(self, name: str) -> None:
        """A first offer, a replaced one, or a collision, which the polite side ``b`` resolves by rolling back."""
        if self.stage == "stable" or name == self.offerer:
            self.text = self.sides[name].make_offer()
            self.offerer, self.stage = name, "offered"
            return
        text = self.sides[name].make_offer()
        self.sides["b"].undo()
        self.text = text if name == "a" else self.text
        self.offerer = "a"

    @precondition(lambda self: self.stage in ("offered", "delivered"))
    @rule()
    def deliver_offer(self) -> None:
        other = self._other(self.offerer)
        other.take_offer(self.text)
        ours = self.sides[self.offerer].negotiation
        assert other.negotiation.slots == ours.slots
        self.stage = "delivered"

    @precondition(lambda self: self.stage in ("offered", "delivered"))
    @rule()
    def roll_back(self) -> None:
        sides = [self.sides[self.offerer], *([self._other(self.offerer)] if self.stage == "delivered" else [])]
        for side in sides:
            before = side.negotiation.before
            side.undo()
            assert before is not None
            assert attrs.evolve(side.negotiation, version=before.version, epoch=before.epoch) == before
        self.stage = "stable"

    @precondition(lambda self: self.stage in ("delivered", "provisional"))
    @rule(provisional=st.booleans())
    def answer(self, provisional: bool) -> None:
        offerer, answerer = self.sides[self.offerer], self._other(self.offerer)
        text = answerer.make_answer(provisional)
        offerer.take_answer(text, provisional)
        assert write(parse(text)) == text
        assert write(parse(self.text)) == self.text
        self._agree()
        self.stage = "provisional" if provisional else "stable"
        if not provisional:
            self._keep_order()

    @precondition(lambda self: self.stage == "stable")
    @rule()
    def settle(self) -> None:
        """Two full exchanges satisfy both; a third changes nothing."""
        for name in ("a", "b"):
            self.offer(name)
            self.deliver_offer()
            self.answer(provisional=False)
        # What is left over is only what the first exchange rejected.
        for name in ("a", "b"):
            self.offer(name)
            self.deliver_offer()
            self.answer(provisional=False)
        before = {name: side.negotiation.sections for name, side in self.sides.items()}
        for side in self.sides.values():
            assert not needs_negotiation(side.negotiation, side.local)
        self.offer("a")
        self.deliver_offer()
        self.answer(provisional=False)
        for name, side in self.sides.items():
            after = side.negotiation.sections
            assert [_essence(one) for one in after] == [_essence(one) for one in before[name]]

    # ---- what must hold

    def _agree(self) -> None:
        one, other = self.sides["a"].negotiation, self.sides["b"].negotiation
        assert len(one.sections) == len(other.sections) == len(one.slots) == len(other.slots)
        for ours, theirs in zip(one.sections, other.sections, strict=True):
            assert (ours.index, ours.mid, ours.kind, ours.rejected) == (
                theirs.index,
                theirs.mid,
                theirs.kind,
                theirs.rejected,
            )
            assert ours.direction == reverse(theirs.direction)
            for sent, received in (
                (ours.send_codecs, theirs.receive_codecs),
                (theirs.send_codecs, ours.receive_codecs),
            ):
                assert [_essence(codec) for codec in sent] == [_essence(codec) for codec in received]
            assert [(e.id, e.uri, e.direction) for e in ours.extensions] == [
                (e.id, e.uri, reverse(e.direction)) for e in theirs.extensions
            ]
            assert ours.send_rids == theirs.receive_rids
            assert theirs.send_rids == ours.receive_rids
            for section in (ours, theirs):
                assert not section.send_rids or section.sending
                assert not set(section.send_rids) & set(section.receive_rids), "one name, one meaning"
            self._check_wishes(ours, theirs)
            for codec in ours.receive_codecs:
                assert self.numbers.setdefault(codec.payload_type, identity(codec)) == identity(codec)
        for side, peer in ((one, other), (other, one)):
            assert side.transport is None or side.transport.ufrag.startswith(f"ufrag{'b' if side is one else 'a'}")
            assert (side.sctp is None) == (peer.sctp is None)
        assert set(one.bundle) == set(other.bundle)
        assert one.bundle[:1] == other.bundle[:1]
        assert {one.dtls_role, other.dtls_role} in ({"client", "server"}, {None})
        if self.roles is not None:
            assert self.roles == (one.dtls_role, other.dtls_role)
        if one.dtls_role is not None:
            self.roles = (one.dtls_role, other.dtls_role)

    def _check_wishes(self, ours: Any, theirs: Any) -> None:
        wanting = (
            self.sides["a"].transceivers.get(ours.transceiver),
            self.sides["b"].transceivers.get(theirs.transceiver),
        )
        if ours.rejected or None in wanting or self.stage == "provisional":
            return
        for section, transceiver in zip((ours, theirs), wanting, strict=True):
            assert transceiver is not None
            assert transceiver.mid == section.mid
        answerer = wanting[1] if self.offerer == "a" else wanting[0]
        agreed = theirs if self.offerer == "a" else ours
        assert answerer is not None
        assert agreed.direction == intersect(answerer.direction, reverse(agreed.remote.direction))

    def _keep_order(self) -> None:
        slots = self.sides["a"].negotiation.slots
        assert slots == self.sides["b"].negotiation.slots
        assert len(slots) >= len(self.order)
        for (mid, dead), slot in zip(self.order, slots, strict=False):
            assert mid == slot.mid or dead, "a living m-line was replaced"
        self.order = [(slot.mid, slot.dead) for slot in slots]

    @invariant()
    def states_fit(self) -> None:
        if not hasattr(self, "sides"):
            return
        offerer, answerer = self.sides[self.offerer].negotiation, self._other(self.offerer).negotiation
        expected = {
            "stable": ("stable", "stable"),
            "offered": ("have-local-offer", "stable"),
            "delivered": ("have-local-offer", "have-remote-offer"),
            "provisional": ("have-remote-pranswer", "have-local-pranswer"),
        }
        assert (offerer.state.value, answerer.state.value) == expected[self.stage]


def _essence(thing: Any) -> Any:
    """What two sides, or two exchanges, must have in common; ``fmtp`` is each receiver's own."""
    if hasattr(thing, "payload_type"):
        return thing.payload_type, identity(thing), thing.rtcp_fb, thing.rtx_payload_type
    return (
        thing.mid,
        thing.kind,
        thing.rejected,
        thing.direction,
        thing.transceiver,
        {_essence(codec) for codec in thing.receive_codecs},
        thing.send_rids,
        thing.receive_rids,
        set(thing.extensions),
    )


TestNegotiation = NegotiationMachine.TestCase
TestNegotiation.settings = settings(
    max_examples=60 if settings().max_examples <= 100 else settings().max_examples,
    stateful_step_count=30,
    deadline=None,
)
