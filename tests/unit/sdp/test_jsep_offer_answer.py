"""Offers and answers between two sides of ours: order, directions, recycling, simulcast, restart, data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from pystack.errors import InvalidArgument
from pystack.sdp import parse
from pystack.sdp.attributes import Group
from pystack.sdp.jsep import CodecCapability, apply_remote, create_offer, needs_negotiation, rollback


def directions(side: Any) -> list[str]:
    return [section.direction for section in side.negotiation.sections]


def test_an_offer_says_what_was_asked_for(kit: SimpleNamespace) -> None:
    side = kit.Side(
        kit.make_transceiver(1, "audio", stream_ids=("s1", "s2")),
        kit.make_transceiver(2, "video", "recvonly"),
        data=True,
        ice_lite=True,
        candidates=("a=candidate:1 1 udp 1 192.0.2.1 5000 typ host",),
        end_of_candidates=True,
    )
    text = side.offer()
    model = parse(text)
    assert model.has("ice-lite")
    assert model.has("extmap-allow-mixed")
    assert model.read("group", Group.parse) == (Group("BUNDLE", ("0", "1", "2")),)
    audio, video, data = model.media
    assert (audio.kind, audio.port, audio.protocol, audio.formats) == ("audio", 9, "UDP/TLS/RTP/SAVPF", ("111",))
    assert [line.content for line in audio.all("msid")] == ["s1 track1", "s2 track1"]
    assert [line.content for line in audio.all("candidate")] == ["1 1 udp 1 192.0.2.1 5000 typ host"]
    assert audio.has("end-of-candidates")
    assert audio.has("rtcp-mux")
    assert not video.has("candidate")
    assert video.has("recvonly")
    assert not video.has("msid")
    assert not video.has("ssrc")
    assert video.formats[:2] == ("96", "97")
    assert all(section.all("setup")[0].content == "actpass" for section in model.media)
    assert data.formats == ("webrtc-datachannel",)
    assert [line.content for line in data.all("max-message-size")] == ["262144"]
    assert "0 UDP" not in text


def test_both_sides_agree_and_nobody_needs_more(kit: SimpleNamespace) -> None:
    one = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video"), data=True)
    two = kit.Side(session_id=2, ufrag="zzzz", setup="passive")
    assert needs_negotiation(one.negotiation, one.local)
    one.offer_to(two)
    for side in (one, two):
        assert directions(side) == ["sendrecv"] * 3
        assert not needs_negotiation(side.negotiation, side.local)
        assert side.negotiation.bundle == ("0", "1", "2")
    assert (one.negotiation.dtls_role, two.negotiation.dtls_role) == ("client", "server")
    assert one.negotiation.transport.ufrag == "zzzz"
    assert two.negotiation.section("1").remote.ssrcs == (1002, 2002)
    assert two.negotiation.section("1").remote.ssrc_groups[0].ssrcs == (1002, 2002)


def test_tracks_are_added_from_both_sides(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "audio")), kit.Side()
    one.offer_to(two)
    two.add(kit.make_transceiver(7, "video", "sendonly"))
    assert needs_negotiation(two.negotiation, two.local)
    two.offer_to(one)
    assert [section.mid for section in one.negotiation.sections] == ["0", "1"]
    assert directions(one) == ["sendrecv", "recvonly"]
    one.add(kit.make_transceiver(9, "video", from_track=True))
    offer, _ = one.offer_to(two)
    assert parse(offer).media[2].all("mid")[0].content == "2"
    assert [section.transceiver for section in one.negotiation.sections] == [1, 2, 9]


def test_a_waiting_track_takes_an_offered_section(kit: SimpleNamespace) -> None:
    one = kit.Side(kit.make_transceiver(1, "video"))
    two = kit.Side(
        kit.make_transceiver(1, "video"),
        kit.make_transceiver(2, "video", from_track=True),
        kit.make_transceiver(3, "audio", from_track=True),
        kit.make_transceiver(4, "video", "recvonly", from_track=True),
    )
    one.offer_to(two)
    assert two.negotiation.sections[0].transceiver == 2
    assert two.transceivers[2].mid == "0"


def test_directions_change_and_come_back(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "video")), kit.Side()
    one.offer_to(two)
    for direction, other in (("sendonly", "recvonly"), ("inactive", "inactive"), ("sendrecv", "sendrecv")):
        one.change(1, direction=direction)
        assert needs_negotiation(one.negotiation, one.local)
        one.offer_to(two)
        assert directions(one) == [direction]
        assert directions(two) == [other]
    two.change(1, direction="recvonly")
    assert needs_negotiation(two.negotiation, two.local)
    one.offer_to(two)
    assert directions(one) == ["sendonly"]
    assert not needs_negotiation(two.negotiation, two.local)
    assert not needs_negotiation(one.negotiation, one.local), "what the other side refused is no reason to ask again"


def test_a_new_track_id_needs_a_negotiation(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "video")), kit.Side()
    one.offer_to(two)
    one.change(1, track_id="other")
    assert needs_negotiation(one.negotiation, one.local)
    one.change(1, direction="recvonly", track_id="track1")
    one.offer_to(two)
    one.change(1, track_id="third")
    assert not needs_negotiation(one.negotiation, one.local), "nothing is sent"
    assert two.negotiation.sections[0].remote.track_id == ""


def test_an_offer_that_changes_nothing(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "video"), data=True), kit.Side()
    offer, answer = one.offer_to(two)
    sections = one.negotiation.sections
    again, answer_again = one.offer_to(two)
    assert offer.replace("o=- 1 1 ", "") == again.replace("o=- 1 2 ", "")
    assert answer.replace("o=- 1 1 ", "") == answer_again.replace("o=- 1 2 ", "")
    assert one.negotiation.sections == sections
    assert not one.negotiation.remote_ice_restart


def test_ice_restarts_are_seen(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "video")), kit.Side()
    one.offer_to(two)
    assert not two.negotiation.remote_ice_restart
    one.transport = attrs.evolve(one.transport, ufrag="newnew12")
    two.receive_offer(one.offer())
    assert two.negotiation.remote_ice_restart
    two.transport = attrs.evolve(two.transport, pwd="q" * 24)
    one.receive_answer(two.answer())
    assert one.negotiation.remote_ice_restart
    one.offer_to(two)
    assert not two.negotiation.remote_ice_restart
    assert one.negotiation.dtls_role == "server"


def test_a_stopped_transceiver_leaves_its_place(kit: SimpleNamespace) -> None:
    one = kit.Side(*(kit.make_transceiver(key, kind) for key, kind in ((1, "audio"), (2, "video"), (3, "audio"))))
    two = kit.Side()
    one.offer_to(two)
    one.change(2, stopped=True)
    assert needs_negotiation(one.negotiation, one.local)
    two.receive_offer(one.offer())
    for side in (one, two):
        assert not side.negotiation.slots[1].dead, "only once it was answered"
    two.negotiation = rollback(two.negotiation)
    one.negotiation = rollback(one.negotiation)
    offer, answer = one.offer_to(two)
    for text in (offer, answer):
        section = parse(text).media[1]
        assert (section.port, section.formats) == (0, ("96",))
        assert section.all("rtpmap")[0].content == "96 VP8/90000", "a format has a name, or Chromium refuses it"
        assert "a=group:BUNDLE 0 2\r\n" in text
    for side in (one, two):
        assert [section.rejected for section in side.negotiation.sections] == [False, True, False]
        assert side.negotiation.slots[1].dead
        del side.transceivers[2]
    offer, _ = one.offer_to(two)
    assert parse(offer).media[1].port == 0, "it stays dead while nobody takes it"
    two.add(kit.make_transceiver(8, "audio"))
    two.offer_to(one)
    assert [(section.mid, section.kind) for section in one.negotiation.sections] == [
        ("0", "audio"),
        ("3", "audio"),
        ("2", "audio"),
    ]
    assert not two.negotiation.slots[1].dead


def test_a_place_in_front_is_taken_where_both_name_their_association(kit: SimpleNamespace) -> None:
    """RFC 8842: the peer keeps it; and the group still names the owner of the transport first."""
    one = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video"), tls_id="one" * 10)
    two = kit.Side(tls_id="two" * 10)
    offer, answer = one.offer_to(two)
    assert f"a=tls-id:{'one' * 10}\r\n" in offer
    assert f"a=tls-id:{'two' * 10}\r\n" in answer
    one.change(1, stopped=True)
    one.offer_to(two)
    del one.transceivers[1], two.transceivers[1]
    one.add(kit.make_transceiver(3, "video"))
    offer, answer = one.offer_to(two)
    assert [(slot.mid, slot.kind, slot.dead) for slot in one.negotiation.slots] == [
        ("2", "video", False),
        ("1", "video", False),
    ]
    for text in (offer, answer):
        assert "a=group:BUNDLE 1 2\r\n" in text
    assert one.negotiation.transport.mid == two.negotiation.transport.mid == "1"


def test_an_association_is_named_where_the_offer_named_one_and_keeps_its_name(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "audio")), kit.Side(tls_id="two" * 10)
    _, answer = one.offer_to(two)
    assert "tls-id" not in answer
    three, four = kit.Side(kit.make_transceiver(1, "audio"), tls_id="3" * 20), kit.Side()
    three.offer_to(four)
    assert four.negotiation.transport.tls_id == "3" * 20
    three.transport = attrs.evolve(three.transport, tls_id="4" * 20)
    with pytest.raises(InvalidArgument, match="tls-id changed"):
        four.receive_offer(three.offer())
    five = kit.Side()
    five.receive_offer(kit.Side(kit.make_transceiver(1, "audio"), tls_id="too-short").offer())
    assert five.negotiation.transport.tls_id == ""


def test_a_place_in_front_is_not_taken_while_others_live(kit: SimpleNamespace) -> None:
    """Its owner would own the transport, and Chromium would build a new one."""
    one, two = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video")), kit.Side()
    one.offer_to(two)
    one.change(1, stopped=True)
    one.offer_to(two)
    del one.transceivers[1], two.transceivers[1]
    one.add(kit.make_transceiver(3, "video"))
    one.data = True
    one.offer_to(two)
    assert [(slot.mid, slot.kind, slot.dead) for slot in one.negotiation.slots] == [
        ("0", "audio", True),
        ("1", "video", False),
        ("2", "video", False),
        ("3", "application", False),
    ]


def test_a_peer_that_takes_the_first_place_does_not_move_the_transport(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video")), kit.Side()
    one.offer_to(two)
    one.change(1, stopped=True)
    offer, _ = one.offer_to(two)
    newcomer = offer.replace("BUNDLE 1", "BUNDLE 9 1").replace("m=audio 0", "m=audio 9").replace("a=mid:0", "a=mid:9")
    newcomer = newcomer.replace("a=inactive", "a=sendrecv\r\na=rtcp-mux", 1)
    two.transceivers.pop(1)
    two.receive_offer(newcomer)
    assert two.negotiation.transport.mid == "1"
    assert "a=group:BUNDLE 1 9\r\n" in two.answer()
    assert two.negotiation.sections[0].sending


def test_all_dead_places_are_taken_again(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "audio")), kit.Side()
    one.offer_to(two)
    one.change(1, stopped=True)
    one.offer_to(two)
    assert one.negotiation.bundle == ()
    assert one.negotiation.dtls_role is not None
    one.transceivers.clear()
    two.transceivers.clear()
    one.data = True
    one.offer_to(two)
    assert [slot.kind for slot in one.negotiation.slots] == ["application"]
    assert two.negotiation.sctp is not None


def test_a_transceiver_that_the_answerer_stopped_is_rejected(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "video")), kit.Side()
    one.offer_to(two)
    two.change(1, stopped=True)
    one.offer_to(two)
    assert [section.rejected for section in one.negotiation.sections] == [True, False]
    assert not needs_negotiation(one.negotiation, one.local), "a rejected transceiver asks for nothing"
    assert [section.port for section in parse(one.offer()).media] == [0, 9]


def test_a_section_without_a_common_codec_is_rejected(kit: SimpleNamespace) -> None:
    odd = (CodecCapability(name="iLBC", clock_rate=8000),)
    one = kit.Side(kit.make_transceiver(1, "audio", codecs=odd), kit.make_transceiver(2, "video"))
    two = kit.Side()
    _, answer = one.offer_to(two)
    section = parse(answer).media[0]
    assert (section.port, section.formats) == (0, ("96",))
    assert "a=rtpmap:96 iLBC/8000" in answer
    assert one.negotiation.bundle == two.negotiation.bundle == ("1",)
    assert two.negotiation.sections[0].rejected


def test_codec_preferences_order_the_answer(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "video")), kit.Side()
    two.receive_offer(one.offer(), codecs=(kit.VP9, kit.VP8), prefer_local_order=True)
    one.receive_answer(two.answer())
    assert [codec.name for codec in one.negotiation.sections[0].send_codecs] == ["VP9", "VP8"]


def test_simulcast_is_offered_and_accepted(kit: SimpleNamespace) -> None:
    one = kit.Side(kit.make_transceiver(1, "video", "sendonly", send_rids=("q", "h")))
    two = kit.Side()
    offer, answer = one.offer_to(two)
    assert "a=rid:q send\r\na=rid:h send\r\na=simulcast:send q;h\r\n" in offer
    assert "a=ssrc" not in offer, "layers go by their rid"
    assert "a=simulcast:recv q;h\r\n" in answer
    assert one.negotiation.sections[0].send_rids == ("q", "h")
    assert two.negotiation.sections[0].receive_rids == ("q", "h")


def test_simulcast_is_asked_for(kit: SimpleNamespace) -> None:
    one = kit.Side(kit.make_transceiver(1, "video", "recvonly", receive_rids=("q", "h", "f")))
    two = kit.Side(kit.make_transceiver(1, "video", from_track=True, send_rids=("f", "q", "x")))
    offer, answer = one.offer_to(two)
    assert "a=simulcast:recv q;h;f\r\n" in offer
    assert "a=rid:f send\r\na=rid:q send\r\na=simulcast:send f;q\r\n" in answer
    assert one.negotiation.sections[0].receive_rids == ("q", "f")
    assert two.negotiation.sections[0].send_rids == ("f", "q")


def test_our_own_offers_keep_layers_that_come_already(kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    side.receive_offer(vector("chromium156-simulcast.offer"))
    side.answer()
    side.add(kit.make_transceiver(9, "audio"))
    assert "a=rid:q recv\r\na=rid:h recv\r\na=rid:f recv\r\na=simulcast:recv q;h;f\r\n" in side.offer()


def test_whoever_offers_again_leaves_simulcast_its_direction(kit: SimpleNamespace) -> None:
    """Layers of one name go one way, and both sides would send them."""
    one = kit.Side(kit.make_transceiver(1, "video", from_track=True, send_rids=("q", "h")))
    two = kit.Side(kit.make_transceiver(1, "video", from_track=True, send_rids=("q", "h")))
    two.offer_to(one)
    sending = [side.negotiation.sections[0].send_rids for side in (one, two)]
    assert sending == [(), ("q", "h")]
    offer, _ = one.offer_to(two)
    assert "a=simulcast:recv q;h\r\n" in offer
    assert [side.negotiation.sections[0].send_rids for side in (one, two)] == sending
    one.change(1, direction="sendonly")  # now they come no more, and the names are free
    one.offer_to(two)
    assert [side.negotiation.sections[0].send_rids for side in (one, two)] == [("q", "h"), ()]


def test_restrictions_of_layers_are_repeated(kit: SimpleNamespace, vector: Any) -> None:
    text = vector("chromium156-simulcast.offer")
    text = text.replace("a=rid:q send", "a=rid:q send pt=96,118;max-width=320").replace("send q;h;f", "send q,h;~f")
    side = kit.Side()
    side.receive_offer(text)
    assert side.negotiation.remote_sections[1].rids[1].paused
    answer = side.answer()
    assert "a=rid:q recv pt=96;max-width=320\r\na=rid:f recv\r\na=simulcast:recv q;f\r\n" in answer


def test_rids_without_simulcast(kit: SimpleNamespace, vector: Any) -> None:
    text = vector("chromium156-simulcast.offer").replace("a=simulcast:send q;h;f\r\n", "")
    text = text.replace("a=rid:h send\r\na=rid:f send\r\n", "")
    side = kit.Side()
    side.receive_offer(text)
    answer = side.answer()
    assert "a=rid:q recv\r\n" in answer
    assert "a=simulcast" not in answer


def test_extension_ids_that_clash_in_the_bundle_are_not_accepted(kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    text = vector("chromium156-plain.offer")
    text = text.replace("a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", f"a=extmap:1 {kit.RID}")
    text = text.replace("a=extmap:11 ", "a=extmap:4096 ")
    side.receive_offer(text)
    side.answer()
    audio, video, _ = side.negotiation.sections
    assert {one.uri: one.id for one in audio.extensions} == {kit.LEVEL: 1, kit.MID: 4}
    assert {one.uri: one.id for one in video.extensions} == {kit.MID: 4}


def test_numbers_of_the_first_offerer_stay(kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    side.receive_offer(vector("firefox153-plain.offer"))
    side.answer()
    side.add(kit.make_transceiver(9, "video"))
    model = parse(side.offer())
    assert model.media[0].formats == ("109",)
    assert model.media[3].formats[:2] == model.media[1].formats[:2] == ("120", "124")
    offered = set(model.media[1].formats)
    assert "122" not in offered
    assert "123" not in offered, "numbers that the remote used for what we do not take stay unused"


@pytest.mark.parametrize(("setup", "role", "said"), [("active", "server", "passive"), ("passive", "client", "active")])
def test_a_fixed_role_is_complemented(setup: str, role: str, said: str, kit: SimpleNamespace, vector: Any) -> None:
    side = kit.Side()
    side.receive_offer(vector("chromium156-plain.offer").replace("setup:actpass", f"setup:{setup}"))
    assert f"a=setup:{said}\r\n" in side.answer()
    assert side.negotiation.dtls_role == role


def test_roles_never_change(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "audio")), kit.Side(session_id=2)
    _, answer = one.offer_to(two)
    assert "a=setup:active" in answer
    _, answer = two.offer_to(one)
    assert "a=setup:passive" in answer
    assert (one.negotiation.dtls_role, two.negotiation.dtls_role) == ("server", "client")
    # Firefox answers so after an ICE restart, and means nothing by it.
    two.offer()
    two.receive_answer(answer.replace("setup:passive", "setup:active"))
    assert two.negotiation.dtls_role == "client"


def test_an_answer_may_ask_less_of_us(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "audio", "sendonly")), kit.Side()
    _, answer = one.offer_to(two)
    assert "a=recvonly" in answer
    other = kit.Side(kit.make_transceiver(1, "audio", "sendonly"))
    other.offer()
    other.receive_answer(answer.replace("a=recvonly", "a=sendrecv"))
    assert other.negotiation.sections[0].direction == "sendonly", "never more than was offered"


def test_old_data_sections_are_answered_in_kind(kit: SimpleNamespace, vector: Any) -> None:
    text = vector("firefox153-plain.offer")
    text = text.replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5001").replace(
        "a=sctp-port:5000", "a=sctpmap:5001 webrtc-datachannel 256"
    )
    side = kit.Side()
    side.receive_offer(text)
    answer = parse(side.answer()).media[2]
    assert (answer.protocol, answer.formats) == ("DTLS/SCTP", ("5000",))
    assert answer.all("sctpmap")[0].content == "5000 webrtc-datachannel 65535"
    assert side.negotiation.sctp.remote_port == 5001


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"track_id": "a b"}, "track id"),
        ({"stream_ids": ("x\r\na=evil",)}, "stream id"),
        ({"cname": ""}, "cname"),
        ({"codecs": ()}, "has no codec"),
        ({"send_rids": ("a b",)}, "rid"),
        ({"codecs": (CodecCapability(name="x", clock_rate=1, fmtp={"a": "\r\nb"}),)}, "codec parameter"),
    ],
)
def test_what_does_not_fit_into_a_description_is_refused(
    changes: dict[str, Any], complaint: str, kit: SimpleNamespace
) -> None:
    side = kit.Side(kit.make_transceiver(1, "audio", **changes))
    with pytest.raises(InvalidArgument, match=complaint):
        side.offer()


def test_a_transport_without_fingerprint_is_refused(kit: SimpleNamespace) -> None:
    side = kit.Side(fingerprints=())
    with pytest.raises(InvalidArgument, match=r"transport\.fingerprints is empty"):
        create_offer(side.negotiation, side.local)


def test_tracks_without_stream_and_without_anything(kit: SimpleNamespace) -> None:
    side = kit.Side(
        kit.make_transceiver(1, "audio", stream_ids=()),
        kit.make_transceiver(2, "audio", stream_ids=(), track_id="", ssrc=None),
    )
    first, second = parse(side.offer()).media
    assert first.all("msid")[0].content == "- track1"
    assert not second.has("msid")
    assert not second.has("ssrc")


def test_a_peer_that_forgets_a_transceiver_rejects_it(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "audio"), kit.make_transceiver(2, "audio")), kit.Side()
    two.receive_offer(one.offer())
    del two.transceivers[2]
    one.receive_answer(two.answer())
    assert [section.rejected for section in one.negotiation.sections] == [False, True]
    two.transceivers.clear()
    assert [section.port for section in parse(two.offer()).media] == [0, 0]


def test_a_transceiver_may_be_matched_by_key_alone(kit: SimpleNamespace) -> None:
    one, two = kit.Side(kit.make_transceiver(1, "audio")), kit.Side(kit.make_transceiver(5, "audio", from_track=True))
    two.negotiation = apply_remote(two.negotiation, "offer", one.offer(), two.local)
    assert two.negotiation.remote_sections[0].transceiver == 5
    one.receive_answer(two.answer())
    assert two.negotiation.sections[0].transceiver == 5
