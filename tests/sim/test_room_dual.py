"""Clients with a second peer connection, on which the room offers (LiveKit's ``/rtc``), with no socket and no sleep."""

from math import inf

from livekit.protocol import models, rtc

from sfu.rooms import AnswerArrived, CandidateArrived, Grants, OfferWanted, ParticipantClosed
from tests.sim.hall import Hall


def offers(hall, client):
    return [event for event in hall.numbered(OfferWanted) if event.participant == client.sid]


def test_a_join_says_that_the_room_offers_and_does_at_once():
    hall = Hall()
    ada = hall.join("ada", dual=True)
    join = ada.received[0].join
    assert join.subscriber_primary
    assert join.fast_publish
    first = ada.heard("offer")[0]
    assert (first.type, first.id, dict(first.mid_to_track_id)) == ("offer", 1, {})
    assert [event.sections for event in offers(hall, ada)] == [()], "the transport is wanted before any track"
    deaf = hall.join("deaf", dual=True, grants=Grants(can_publish=False))
    assert not deaf.received[0].join.fast_publish


def test_both_kinds_of_clients_receive_each_other():
    hall = Hall()
    ada, grace, joan = hall.join("ada", dual=True), hall.join("grace", dual=True), hall.join("joan")
    tracks = {client: {client.publish("audio"), client.publish("video")} for client in (ada, grace, joan)}
    for client in tracks:
        wanted = set().union(*(each for other, each in tracks.items() if other is not client))
        assert hall.received_by(client) == wanted
        assert wanted <= set(client.tracks.values())
    assert not ada.heard("media_sections_requirement")
    assert len(hall.room.participant(ada.sid).sections.carried()) == 4
    for section in ada.offered_sections:
        publisher, _, stream = section.stream_id.partition("|")
        assert (publisher in {grace.sid, joan.sid}, bool(stream)) == (True, True)


def test_what_many_changes_bring_is_one_offer():
    hall = Hall()
    people = [hall.join(f"p{number}") for number in range(5)]
    tracks = {each for person in people for each in (person.publish("audio"), person.publish("video"))}
    ada = hall.join("ada", dual=True)
    assert hall.received_by(ada) == tracks
    assert len(ada.heard("offer")) == 1


def test_one_offer_at_a_time_and_the_next_holds_what_came_meanwhile():
    hall = Hall()
    ada, grace = hall.join("ada", dual=True), hall.join("grace")
    ada.lazy = True
    tracks = {grace.publish("audio"), grace.publish("video"), grace.publish("video")}
    assert len(ada.heard("offer")) == 2, "the first, and one that waits for its answer"
    assert hall.received_by(ada) == set()
    ada.lazy = False
    ada.send(answer=rtc.SessionDescription(type="answer", sdp="answer", id=2))
    assert [each.id for each in ada.heard("offer")] == [1, 2, 3]
    assert hall.received_by(ada) == tracks


def test_answers_that_nobody_waits_for_are_ignored():
    hall = Hall()
    ada = hall.join("ada", dual=True)
    single = hall.join("single")
    applied = len(hall.numbered(AnswerArrived))
    for client in (ada, single):
        for number in (0, 1, 2, 77):
            client.send(answer=rtc.SessionDescription(type="answer", sdp="again", id=number))
    assert len(hall.numbered(AnswerArrived)) == applied
    ada.lazy = True
    single.publish("audio")
    ada.send(answer=rtc.SessionDescription(type="answer", sdp="old", id=1))
    assert len(hall.numbered(AnswerArrived)) == applied
    ada.send(answer=rtc.SessionDescription(type="answer", sdp="unnumbered"))
    ada.send(answer=rtc.SessionDescription(type="answer", sdp="twice"))
    assert [event.sdp for event in hall.numbered(AnswerArrived)[applied:]] == ["unnumbered"]


def test_sections_are_used_again_and_never_pass_from_one_track_to_the_next():
    hall = Hall()
    ada, grace = hall.join("ada", dual=True), hall.join("grace", dual=True)
    for _ in range(20):
        track = ada.publish("video")
        assert hall.received_by(grace) == {track}
        ada.unpublish(track)
        assert hall.received_by(grace) == set()
        assert track not in grace.tracks.values()
    assert len(grace.offered_sections) <= 2
    carries = {}
    for event in offers(hall, grace):
        for section in event.sections:
            before, carries[section.name] = carries.get(section.name, ""), section.track
            assert section.track in {"", before} or not before, "inactive in between, or browsers announce nothing"


def test_a_track_that_is_wanted_again_comes_in_another_section_and_there_are_never_many():
    hall = Hall()
    ada, grace = hall.join("ada", dual=True), hall.join("grace", dual=True)
    track = ada.publish("video")
    names = set()
    for turn in range(1, 20):
        names |= {section.name for section in grace.offered_sections if section.track == track}
        assert len(names) == turn, "some SDKs tell of it only then"
        assert hall.received_by(grace) == {track}
        grace.send(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=False))
        assert hall.received_by(grace) == set()
        grace.send(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
        assert len(grace.offered_sections) <= 2


def test_an_offer_that_is_never_answered_ends_its_client_alone_and_it_may_come_back():
    hall = Hall(negotiation_timeout=15)
    ada, grace = hall.join("ada", dual=True), hall.join("grace")
    ada.lazy = True
    grace.publish("audio")
    hall.pass_time(14.9)
    assert ada.left is None
    hall.pass_time(0.2)
    assert ada.left.action == rtc.LeaveRequest.RECONNECT
    assert hall.numbered(ParticipantClosed)[-1].message == "the client did not answer our offer in time"
    assert [each.identity for each in hall.room.roster] == ["grace"]


def test_a_late_offer_or_answer_of_a_replaced_one_changes_nothing():
    hall = Hall()
    ada, grace = hall.join("ada", dual=True), hall.join("grace")
    hall.answering = False  # the runtime is slow
    ada.vanish()
    assert ada.come_back()
    stale = offers(hall, ada)[-1]
    ada.vanish()
    assert ada.come_back()
    hall.answering = True
    told = len(ada.heard("offer"))
    hall.room.offer_made(ada.sid, stale.offer_id, "late", {})
    hall.room.answer_applied(ada.sid, stale.offer_id, hall.now)
    hall.pump()
    assert len(ada.heard("offer")) == told
    hall.offer(offers(hall, ada)[-1])
    hall.pump()
    assert len(ada.heard("offer")) == told + 1
    track = grace.publish("audio")
    assert hall.received_by(ada) == {track}


def test_who_comes_back_is_offered_everything_with_an_ice_restart():
    hall = Hall(negotiation_timeout=5, resume_timeout=20)
    ada, grace = hall.join("ada", dual=True), hall.join("grace")
    track = grace.publish("audio")
    ada.lazy = True
    second = grace.publish("video")  # its offer is never answered, because
    ada.vanish()
    third = grace.publish("video")
    hall.pass_time(10)
    assert ada.left is None, "nobody who is away is blamed for not answering"
    count = len(offers(hall, ada))
    ada.lazy = False
    assert ada.come_back()
    assert [event.restart_ice for event in offers(hall, ada)[count:]] == [True]
    assert [event.restart_ice for event in offers(hall, ada)[:count]] == [False] * count
    assert hall.received_by(ada) == {track, second, third}
    kinds = [each.WhichOneof("message") for each in ada.received]
    assert kinds.index("reconnect") < len(kinds) - 1 - kinds[::-1].index("offer")


def test_unsubscribing_and_permissions_reach_sections_of_ours():
    hall = Hall()
    ada, grace = hall.join("ada", dual=True), hall.join("grace")
    track = grace.publish("video")
    ada.send(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=False))
    assert hall.received_by(ada) == set()
    assert [section.track for section in ada.offered_sections] == [""]
    ada.send(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=True))
    assert hall.received_by(ada) == {track}
    grace.send(subscription_permission=rtc.SubscriptionPermission(all_participants=False))
    assert hall.received_by(ada) == set()
    deaf = hall.join("deaf", dual=True, grants=Grants(can_subscribe=False))
    assert hall.received_by(deaf) == set()
    assert deaf.offered_sections == ()


def test_candidates_say_which_transport_they_are_for():
    hall = Hall()
    ada = hall.join("ada", dual=True)
    for target in (rtc.SignalTarget.PUBLISHER, rtc.SignalTarget.SUBSCRIBER):
        ada.send(trickle=rtc.TrickleRequest(candidateInit="{}", target=target))
    assert [event.outbound for event in hall.numbered(CandidateArrived)] == [False, True]


def test_leaving_in_mid_offer_leaves_nothing():
    hall = Hall()
    grace = hall.join("grace")
    ada = hall.join("ada", dual=True)
    ada.lazy = True
    grace.publish("audio")
    hall.leave(ada)
    assert hall.room._offering._said == {}
    assert hall.room._context.unoffered == {}
    assert not hall.room._context.timers.armed(f"proposal:{ada.sid}")
    assert grace.known == {}
    hall.leave(grace)
    hall.pass_time(1000)
    assert hall.room.ended
    assert hall.room.deadline == inf
    assert grace.left.reason == models.DisconnectReason.CLIENT_INITIATED
