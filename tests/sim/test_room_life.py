"""A room and its clients with no socket and no sleep: fifty participants, every way to leave, every count."""

import gc
import weakref
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from pystack.base import Ended
from pystack.errors import LocalProtocolError
from sfu.rooms import (
    Admission,
    ConnectionAborted,
    Grants,
    LeaveReason,
    OfferArrived,
    ParticipantClosed,
    ParticipantJoined,
    ParticipantLeft,
    RoomFinished,
    RoomFull,
    RoomStarted,
    RouteChanged,
    TrackPublished,
    TrackUnpublished,
)
from tests.sim.hall import Client, Hall


def test_two_participants_receive_each_other():
    hall = Hall()
    ada, grace = hall.join("ada", name="Ada"), hall.join("grace")
    voice = ada.publish("audio")
    face = grace.publish("video", width=1280, height=720)
    assert hall.received_by(grace) == {voice}
    assert hall.received_by(ada) == {face}
    assert ada.known["grace"].tracks[0].width == 1280
    mid = hall.routes[face, ada.sid][0]
    assert ada.tracks[mid] == face


def test_an_announcement_precedes_the_sections_that_carry_it():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    voice = ada.publish("audio")
    kinds = [each.WhichOneof("message") for each in grace.received]
    told = next(
        index
        for index, each in enumerate(grace.received)
        if any(track.sid == voice for info in each.update.participants for track in info.tracks)
    )
    assert told < kinds.index("media_sections_requirement") < len(kinds) - 1 - kinds[::-1].index("answer")


def test_the_first_message_is_the_join_with_what_clients_insist_on():
    hall = Hall()
    hall.join("ada").publish("audio")
    grace = hall.join("grace", client=models.ClientInfo(client_protocol=2))
    first = grace.received[0]
    assert first.WhichOneof("message") == "join"
    join = first.join
    assert join.server_info.version
    assert join.server_version
    assert 0 < join.ping_interval < join.ping_timeout
    assert join.participant.sid.startswith("PA_")
    assert join.participant.client_protocol == 2
    assert join.participant.state == models.ParticipantInfo.State.ACTIVE
    assert join.room.sid.startswith("RM_")
    assert join.room.num_participants == 2
    assert not join.subscriber_primary
    assert [len(each.tracks) for each in join.other_participants] == [1]


def test_a_latecomer_is_bound_by_its_first_offer_when_it_has_sections():
    hall = Hall()
    ada = hall.join("ada")
    tracks = {ada.publish("audio"), ada.publish("video")}
    late = Client(hall, "late")
    late.add_sections(3, 3)
    late.sid = hall.room.join(Admission(identity="late"), hall.now)
    hall.clients[late.sid] = late
    hall.pump()
    late.received.clear()
    late.offer()
    hall.connect(late)
    assert hall.received_by(late) == tracks
    assert not late.heard("media_sections_requirement"), "it had free sections"


def test_routes_wait_for_the_subscribers_transport():
    hall = Hall()
    ada = hall.join("ada")
    ada.publish("audio")
    grace = hall.join("grace", connect=False)
    assert not hall.received_by(grace)
    hall.connect(grace)
    assert hall.received_by(grace)


def test_a_late_answer_to_a_replaced_binding_does_not_route():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    hall.answering = False
    ada.publish("audio")
    hall.answering = True
    offer = next(event for event in reversed(hall.events) if isinstance(event, OfferArrived))
    hall.answer(offer)
    hall.pump()
    assert len(hall.received_by(grace)) == 1
    before = dict(hall.routes)
    hall.room.answered(ada.sid, offer.offer_id, "again", hall.now)
    hall.pump()
    assert hall.routes == before


def test_unpublish_frees_the_section_for_the_next_track():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    for _ in range(20):
        track = ada.publish("video")
        assert hall.received_by(grace) == {track}
        ada.unpublish(track)
        assert hall.received_by(grace) == set()
        assert track not in grace.tracks.values()
    assert len(grace.sections) <= 2, "sections are used again"
    assert len(hall.numbered(TrackPublished)) == len(hall.numbered(TrackUnpublished)) == 20


def test_publishers_coming_and_going_do_not_make_sections_pile_up():
    hall = Hall()
    grace = hall.join("grace")
    for number in range(30):
        guest = hall.join(f"guest{number}")
        tracks = {guest.publish("audio"), guest.publish("video")}
        assert hall.received_by(grace) == tracks
        hall.leave(guest)
        assert hall.received_by(grace) == set()
    assert len(grace.sections) <= 4


def test_a_client_that_ignores_requirements_is_asked_again_but_ever_less_often():
    hall = Hall(retry_interval=3.0)
    ada, grace = hall.join("ada"), hall.join("grace")
    grace.lazy = True
    ada.publish("audio")
    assert len(grace.heard("media_sections_requirement")) == 1
    hall.pass_time(300)
    asked = len(grace.heard("media_sections_requirement"))
    assert 5 <= asked <= 20
    grace.lazy = False
    hall.pass_time(40)
    assert len(hall.received_by(grace)) == 1
    hall.pass_time(100)
    assert len(grace.heard("media_sections_requirement")) == asked + 1


def test_unsubscribe_and_subscribe_again_is_a_new_generation():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    track = ada.publish("video")
    first = hall.routes[track, grace.sid][1]
    grace.send(subscription=rtc.UpdateSubscription(track_sids=[track], subscribe=False))
    assert hall.received_by(grace) == set()
    grace.send(
        subscription=rtc.UpdateSubscription(
            participant_tracks=[models.ParticipantTracks(participant_sid=ada.sid, track_sids=[track])], subscribe=True
        )
    )
    assert hall.routes[track, grace.sid][1] == first + 1


def test_no_auto_subscribe_means_nothing_until_asked():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace", auto_subscribe=False)
    track = ada.publish("video")
    assert hall.received_by(grace) == set()
    grace.send(subscription=rtc.UpdateSubscription(track_sids=[track, "TR_unknown"], subscribe=True))
    assert hall.received_by(grace) == {track}


def test_grants_are_held():
    hall = Hall()
    ada = hall.join("ada", grants=Grants(can_publish=False))
    assert ada.publish("audio") is None
    assert ada.heard("request_response")[0].reason == rtc.RequestResponse.NOT_ALLOWED
    assert ada.heard("request_response")[0].add_track.cid
    camera = hall.join("camera", grants=Grants(publish_sources=frozenset({models.TrackSource.CAMERA})))
    assert camera.publish("video", source=models.TrackSource.CAMERA)
    assert camera.publish("video", source=models.TrackSource.SCREEN_SHARE) is None
    deaf = hall.join("deaf", grants=Grants(can_subscribe=False))
    assert hall.received_by(deaf) == set()
    hidden = hall.join("hidden", grants=Grants(hidden=True))
    assert len(hall.received_by(hidden)) == 1
    assert "hidden" not in ada.known
    assert hidden.publish("audio")
    assert len(hall.received_by(ada)) == 1, "nobody is sent what somebody unseen publishes"


def test_a_camera_does_not_pass_as_a_microphone():
    hall = Hall()
    voice = Grants(publish_sources=frozenset({models.TrackSource.MICROPHONE}))
    ada = hall.join("ada", grants=voice)
    assert ada.publish("video", source=models.TrackSource.MICROPHONE) is None
    assert ada.publish("audio", source=models.TrackSource.MICROPHONE)


def test_a_publisher_hears_once_that_a_track_has_its_first_subscriber():
    hall = Hall()
    ada = hall.join("ada")
    voice = ada.publish("audio")
    assert ada.heard("track_subscribed") == []
    hall.join("grace")
    assert [each.track_sid for each in ada.heard("track_subscribed")] == [voice]
    hall.join("joan")
    assert len(ada.heard("track_subscribed")) == 1


def test_what_the_whole_room_is_told_is_bounded():
    hall = Hall()
    ada = hall.join("ada", grants=Grants(can_update_metadata=True))
    grace = hall.join("grace")
    told = sum(each.ByteSize() for each in grace.received)
    ada.send(update_metadata=rtc.UpdateParticipantMetadata(name="n" * 10_000))
    ada.send(update_metadata=rtc.UpdateParticipantMetadata(metadata="é" * 40_000))
    ada.send(update_metadata=rtc.UpdateParticipantMetadata(attributes={"k": "v" * 70_000}))
    ada.send(
        subscription_permission=rtc.SubscriptionPermission(
            track_permissions=[rtc.TrackPermission(participant_identity=f"p{number}") for number in range(10_000)]
        )
    )
    assert [each.reason for each in ada.heard("request_response")] == [rtc.RequestResponse.LIMIT_EXCEEDED] * 4
    ada.send(add_track=rtc.AddTrackRequest(cid="c", name="n" * 10_000))
    assert ada.heard("request_response")[-1].reason == rtc.RequestResponse.INVALID_REQUEST
    assert sum(each.ByteSize() for each in grace.received) == told


def test_a_publisher_restricts_who_may_subscribe():
    hall = Hall()
    ada, grace, joan = hall.join("ada"), hall.join("grace"), hall.join("joan")
    voice, face = ada.publish("audio"), ada.publish("video")
    ada.send(
        subscription_permission=rtc.SubscriptionPermission(
            all_participants=False,
            track_permissions=[
                rtc.TrackPermission(participant_identity="grace", track_sids=[voice]),
                rtc.TrackPermission(participant_sid=joan.sid, all_tracks=True),
            ],
        )
    )
    assert hall.received_by(grace) == {voice}
    assert hall.received_by(joan) == {voice, face}
    hall.leave(joan)
    joan = hall.join("joan")
    assert hall.received_by(joan) == {voice, face}, "who joins anew is still the same"
    ada.send(subscription_permission=rtc.SubscriptionPermission(all_participants=True))
    assert hall.received_by(grace) == {voice, face}


def permissions(client):
    told = [(each.track_sid, each.allowed) for each in client.heard("subscription_permission_update")]
    client.received.clear()
    return told


def test_a_subscriber_is_told_whether_it_may_have_what_it_wants():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    careless = hall.join("careless", auto_subscribe=False)
    voice = ada.publish("audio")
    assert permissions(grace) == [], "that it may goes without saying"
    ada.send(subscription_permission=rtc.SubscriptionPermission(all_participants=False))
    ada.send(subscription_permission=rtc.SubscriptionPermission(all_participants=False))
    assert permissions(grace) == [(voice, False)]
    face = ada.publish("video")
    assert permissions(grace) == [(face, False)]
    late = hall.join("late")
    assert permissions(late) == [(voice, False), (face, False)]
    grace.vanish()
    ada.send(subscription_permission=rtc.SubscriptionPermission(all_participants=True))
    assert grace.come_back()
    assert permissions(grace)[-2:] == [(voice, True), (face, True)]
    assert permissions(late) == [(voice, True), (face, True)]
    assert permissions(careless) == []
    assert hall.received_by(grace) == {voice, face}


def test_a_recorder_may_have_everything():
    hall = Hall()
    ada = hall.join("ada")
    recorder = hall.join("recorder", grants=Grants(recorder=True, hidden=True, can_publish=False))
    egress = hall.join("egress", kind=models.ParticipantInfo.Kind.EGRESS)
    ada.send(subscription_permission=rtc.SubscriptionPermission(all_participants=False))
    voice = ada.publish("audio")
    assert hall.received_by(recorder) == hall.received_by(egress) == {voice}


def test_who_asks_for_an_unknown_track_is_told():
    hall = Hall()
    grace = hall.join("grace")
    grace.send(subscription=rtc.UpdateSubscription(track_sids=["TR_1"], subscribe=False))
    assert grace.heard("subscription_response") == []
    grace.send(subscription=rtc.UpdateSubscription(track_sids=["TR_1", "TR_2"], subscribe=True))
    told = [(each.track_sid, each.err) for each in grace.heard("subscription_response")]
    assert told == [(sid, models.SubscriptionError.SE_TRACK_NOTFOUND) for sid in ("TR_1", "TR_2")]
    grace.send(subscription=rtc.UpdateSubscription(track_sids=["x" * 1000] * 1000, subscribe=True))
    assert len(grace.heard("subscription_response")) == 102
    hall.room.undecodable("TR_1", grace.sid)
    hall.room.undecodable("TR_1", "PA_nobody")
    hall.pump()
    assert grace.heard("subscription_response")[-1].err == models.SubscriptionError.SE_CODEC_UNSUPPORTED


def test_a_publisher_says_what_has_become_of_a_track():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    voice, face = ada.publish("audio"), ada.publish("video", width=640, height=480)
    features = models.AudioTrackFeature
    wanted = [features.TF_STEREO, features.TF_NOISE_SUPPRESSION, 77]
    ada.send(update_audio_track=rtc.UpdateLocalAudioTrack(track_sid=voice, features=wanted))
    ada.send(update_video_track=rtc.UpdateLocalVideoTrack(track_sid=face, width=1280, height=720))
    heard, seen = grace.known["ada"].tracks
    assert (list(heard.audio_features), heard.stereo, heard.disable_dtx) == (wanted, True, False)
    assert (seen.width, seen.height) == (1280, 720)
    assert ada.heard("request_response") == []
    ada.send(update_video_track=rtc.UpdateLocalVideoTrack(track_sid="TR_none"))
    assert ada.heard("request_response")[-1].reason == rtc.RequestResponse.NOT_FOUND
    assert ada.heard("request_response")[-1].update_video_track.track_sid == "TR_none"
    ada.send(update_audio_track=rtc.UpdateLocalAudioTrack(track_sid=face))
    ada.send(update_audio_track=rtc.UpdateLocalAudioTrack(track_sid=voice, features=[0] * 1000))
    refused = ada.heard("request_response")[1:]
    assert [each.reason for each in refused] == [rtc.RequestResponse.INVALID_REQUEST] * 2
    assert [each.update_audio_track.track_sid for each in refused] == [face, voice]
    assert not refused[1].update_audio_track.features


def test_a_refused_track_is_named_and_one_that_waits_stays_what_it_is():
    hall = Hall()
    ada = hall.join("ada")
    ada.send(add_track=rtc.AddTrackRequest(cid="c", type=models.TrackType.VIDEO, name="n" * 10_000))
    assert ada.heard("request_response")[-1].add_track.cid == "c"
    ada.send(add_track=rtc.AddTrackRequest(cid="c" * 10_000))
    assert ada.heard("request_response")[-1].ByteSize() < 200
    ada.send(add_track=rtc.AddTrackRequest(cid="cam", type=models.TrackType.VIDEO, name="first"))
    ada.send(add_track=rtc.AddTrackRequest(cid="cam", type=models.TrackType.AUDIO, name="second"))
    refused = ada.heard("request_response")[-1]
    assert (refused.reason, refused.add_track.cid) == (rtc.RequestResponse.INVALID_REQUEST, "cam")
    assert len(ada.heard("track_published")) == 1


def test_a_wish_for_a_layer_goes_to_its_own_route_once():
    hall = Hall()
    ada, grace, joan = hall.join("ada"), hall.join("grace"), hall.join("joan")
    ada.rids = ("q", "h", "f")
    face = ada.publish("video", width=1280, height=720)
    assert hall.routes[face, grace.sid][2:] == [False, 2]

    def wish(**setting):
        grace.send(track_setting=rtc.UpdateTrackSettings(track_sids=[face, "TR_none"], **setting))
        return hall.routes[face, grace.sid][2:]

    assert wish(quality=models.VideoQuality.LOW) == [False, 0]
    assert wish(width=640, height=360) == [False, 1]
    assert wish(width=640, height=360) == [False, 1]
    assert len(hall.numbered(RouteChanged)) == 2, "an unchanged wish has no effect"
    assert wish(quality=models.VideoQuality.OFF)[0]
    assert wish(quality=models.VideoQuality.HIGH) == [False, 2]
    assert hall.routes[face, joan.sid][2:] == [False, 2]
    wish(quality=models.VideoQuality.MEDIUM)
    grace.send(subscription=rtc.UpdateSubscription(track_sids=[face], subscribe=False))
    assert (face, grace.sid) not in hall.routes
    grace.send(subscription=rtc.UpdateSubscription(track_sids=[face], subscribe=True))
    assert hall.routes[face, grace.sid][2:] == [False, 1], "a wish outlives its route"


def layers_wanted(client):
    """What the client was told last: track to how many layers are wanted of it."""
    told = {}
    for message in client.heard("subscribed_quality_update"):
        assert [each.quality for each in message.subscribed_qualities] == [0, 1, 2]
        enabled = [each.enabled for each in message.subscribed_qualities]
        assert enabled == sorted(enabled, reverse=True), "all up to the best"
        told[message.track_sid] = sum(enabled)
    return told


def test_ac32_7_more_layers_are_asked_for_at_once_and_fewer_after_five_seconds():
    hall = Hall()
    ada, grace, joan = hall.join("ada"), hall.join("grace"), hall.join("joan")
    ada.rids = ("q", "h", "f")
    face = ada.publish("video", width=1280, height=720)
    assert layers_wanted(ada) == {face: 3}

    def wish(client, quality, **more):
        client.send(track_setting=rtc.UpdateTrackSettings(track_sids=[face], quality=quality, **more))
        return layers_wanted(ada)[face]

    assert wish(grace, models.VideoQuality.LOW) == 3, "joan wants them all"
    assert wish(joan, models.VideoQuality.MEDIUM) == 3
    hall.pass_time(4.9)
    assert layers_wanted(ada)[face] == 3
    hall.pass_time(0.2)
    assert layers_wanted(ada)[face] == 2
    assert wish(grace, models.VideoQuality.HIGH) == 3, "at once"
    assert wish(grace, models.VideoQuality.LOW) == 3
    hall.pass_time(3)
    assert wish(grace, models.VideoQuality.HIGH) == 3
    told = len(ada.heard("subscribed_quality_update"))
    hall.pass_time(20)
    assert len(ada.heard("subscribed_quality_update")) == told, "a change of mind is no news"


def test_ac14_5_ac32_10_who_unmutes_is_told_at_once_what_is_wanted_by_now():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    ada.rids = ("q", "h", "f")
    face = ada.publish("video", width=1280, height=720)
    ada.send(mute=rtc.MuteTrackRequest(sid=face, muted=True))
    grace.send(track_setting=rtc.UpdateTrackSettings(track_sids=[face], quality=models.VideoQuality.LOW))
    assert layers_wanted(ada) == {face: 3}, "less is asked for after a while"
    ada.received.clear()
    ada.send(mute=rtc.MuteTrackRequest(sid=face, muted=False))
    assert layers_wanted(ada) == {face: 1}
    told = len(ada.heard("subscribed_quality_update"))
    hall.pass_time(30)
    assert len(ada.heard("subscribed_quality_update")) == told == 1
    ada.send(mute=rtc.MuteTrackRequest(sid=face, muted=False))
    assert len(ada.heard("subscribed_quality_update")) == told, "it was not muted"


def test_ac32_8_ac32_9_a_track_that_nobody_wants_is_turned_off_after_ten_seconds():
    hall = Hall()
    ada = hall.join("ada")
    ada.rids = ("q", "h")
    face = ada.publish("video", width=1280, height=720)
    hall.pass_time(9.9)
    assert layers_wanted(ada) == {}
    hall.pass_time(0.2)
    assert layers_wanted(ada) == {face: 0}
    grace = hall.join("grace")
    assert layers_wanted(ada) == {face: 3}, "the best of two layers is the best of all"
    grace.send(track_setting=rtc.UpdateTrackSettings(track_sids=[face], disabled=True))
    hall.pass_time(6)
    assert layers_wanted(ada) == {face: 0}
    grace.send(track_setting=rtc.UpdateTrackSettings(track_sids=[face], quality=models.VideoQuality.LOW))
    assert layers_wanted(ada) == {face: 1}
    hall.leave(grace)
    hall.pass_time(6)
    assert layers_wanted(ada) == {face: 0}
    ada.vanish()
    late = hall.join("late")
    ada.received.clear()
    assert ada.come_back()
    assert layers_wanted(ada) == {face: 3}, "told again"
    ada.unpublish(face)
    assert hall.room._dynacast._told == {}
    hall.leave(late)
    hall.pass_time(30)


@pytest.mark.parametrize("rids", [(), ("q", "h", "f")])
def test_layers_inside_one_stream_are_wanted_all_or_none(rids):
    hall = Hall()
    ada = hall.join("ada")
    ada.rids, ada.codec = rids, "VP9"
    layers = [models.VideoLayer(quality=quality, width=320 << quality, height=180 << quality) for quality in range(3)]
    face = ada.publish("video", width=1280, height=720, layers=layers)
    grace = hall.join("grace")
    assert grace.known["ada"].tracks[0].simulcast, "or SDKs do not let their users choose"
    grace.send(track_setting=rtc.UpdateTrackSettings(track_sids=[face], quality=models.VideoQuality.LOW))
    hall.pass_time(20)
    assert hall.routes[face, grace.sid][3] == 0
    assert layers_wanted(ada) == {face: 3}
    hall.leave(grace)
    hall.pass_time(6)
    assert layers_wanted(ada) == {face: 0}


def test_who_publishes_one_layer_alone_hears_nothing_of_layers():
    hall = Hall()
    ada, _ = hall.join("ada"), hall.join("grace")
    ada.publish("video")
    ada.publish("audio")
    hall.pass_time(30)
    assert layers_wanted(ada) == {}


def test_mute_travels_in_track_info_and_pauses_routes_once():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    voice = ada.publish("audio")
    for _ in range(3):
        ada.send(mute=rtc.MuteTrackRequest(sid=voice, muted=True))
    assert hall.routes[voice, grace.sid][2]
    assert grace.known["ada"].tracks[0].muted
    assert len(hall.numbered(RouteChanged)) == 1, "an unchanged mute has no effect"
    late = hall.join("late")
    assert hall.routes[voice, late.sid][2], "a subscription that is added while muted begins muted"
    grace.send(track_setting=rtc.UpdateTrackSettings(track_sids=[voice], disabled=True))
    ada.send(mute=rtc.MuteTrackRequest(sid=voice, muted=False))
    assert hall.routes[voice, grace.sid][2], "the subscriber's own pause stays"
    assert not hall.routes[voice, late.sid][2]
    grace.send(track_setting=rtc.UpdateTrackSettings(track_sids=[voice], disabled=False))
    assert not hall.routes[voice, grace.sid][2]


def test_a_second_join_with_the_same_identity_replaces_the_first():
    hall = Hall()
    watcher = hall.join("watcher")
    old = hall.join("ada")
    old_track = old.publish("audio")
    new = hall.join("ada")
    assert old.left.reason == models.DisconnectReason.DUPLICATE_IDENTITY
    assert old.left.action == rtc.LeaveRequest.DISCONNECT
    assert new.left is None
    assert old.sid != new.sid
    assert watcher.known["ada"].sid == new.sid
    assert old_track not in hall.received_by(watcher)
    assert hall.room.roster.count == 2
    hall.room.leave(old.sid, LeaveReason.SIGNAL_CLOSE, hall.now, "its socket closes late")
    hall.pump()
    assert hall.room.participant(new.sid) is not None
    left = [event for event in hall.numbered(ParticipantLeft) if event.participant.identity == "ada"]
    assert [event.participant.sid for event in left] == [old.sid]


@pytest.mark.parametrize("reason", list(LeaveReason))
def test_every_way_to_leave_is_told_once_and_never_counts_the_leaver(reason):
    hall = Hall()
    hall.join("stays")
    ada = hall.join("ada")
    agent = hall.join("agent", grants=Grants(agent=True))
    ada.publish("audio")
    hall.leave(ada, reason)
    hall.leave(ada, reason)
    left = hall.numbered(ParticipantLeft)
    assert len(left) == 1
    assert left[0].room.num_participants == 1, "an agent does not count, the leaver does not either"
    assert left[0].participant.disconnect_reason == reason
    assert all(event.room.num_participants == 1 for event in hall.numbered(TrackUnpublished))
    assert agent.known.keys() == {"stays"}
    closed = hall.numbered(ParticipantClosed)
    assert len(closed) == 1
    assert closed[0].reason == reason


def test_somebody_who_never_connected_aborts_instead_of_leaving():
    hall = Hall(join_timeout=60)
    ada = hall.join("ada", connect=False)
    hall.pass_time(59.9)
    assert ada.left is None
    hall.pass_time(0.2)
    assert ada.left.reason == models.DisconnectReason.JOIN_FAILURE
    assert len(hall.numbered(ConnectionAborted)) == 1
    assert not hall.numbered(ParticipantJoined, ParticipantLeft)
    assert hall.numbered(ParticipantClosed)[0].duration == 0


def test_joined_counts_the_joiner_and_the_duration_counts_from_active():
    hall = Hall()
    for number in range(10):
        hall.join(f"p{number}")
        assert hall.numbered(ParticipantJoined)[-1].room.num_participants == number + 1
    first = hall.clients[next(iter(hall.clients))]
    hall.pass_time(12.5)
    hall.leave(first)
    assert hall.numbered(ParticipantClosed)[0].duration == pytest.approx(12.5)


def test_numbers_of_events_have_no_gap_and_the_room_frames_them():
    hall = Hall()
    ada = hall.join("ada")
    ada.publish("audio")
    hall.leave(ada)
    hall.pass_time(21)
    assert hall.room.ended
    numbered = [event for event in hall.events if hasattr(event, "number")]
    assert [event.number for event in numbered] == list(range(1, len(numbered) + 1))
    assert isinstance(numbered[0], RoomStarted)
    assert isinstance(numbered[-1], RoomFinished)
    assert isinstance(hall.events[-1], Ended)
    assert numbered[-1].room.num_participants == 0


@pytest.mark.parametrize(
    "dependent", [{"kind": models.ParticipantInfo.Kind.AGENT}, {"grants": Grants(recorder=True, hidden=True)}], ids=str
)
def test_whoever_only_serves_others_keeps_no_room(dependent):
    hall = Hall(empty_timeout=300, departure_timeout=20)
    hall.join("servant", **dependent)
    hall.pass_time(250)
    hall.join("servant", **dependent)
    hall.pass_time(51)
    assert hall.room.ended, "nobody ever joined"

    hall = Hall(empty_timeout=300, departure_timeout=20)
    user = hall.join("user")
    servant = hall.join("servant", **dependent)
    hall.pass_time(400)
    assert not hall.room.ended
    hall.leave(user)
    hall.pass_time(10)
    hall.leave(servant)
    hall.join("servant", **dependent)
    hall.pass_time(9)
    hall.join("servant", **dependent)
    assert not hall.room.ended
    hall.pass_time(2)
    assert hall.room.ended, "its comings and goings change nothing"

    hall = Hall(empty_timeout=300)
    hall.join("servant", **dependent)
    hall.room.configure(hall.now, empty_timeout=10)
    hall.pass_time(9)
    hall.join("user")
    hall.pass_time(1000)
    assert not hall.room.ended


def test_an_empty_room_ends_by_itself_and_takes_nobody_in():
    hall = Hall(empty_timeout=300, departure_timeout=20)
    hall.pass_time(299)
    ada = hall.join("ada")
    hall.pass_time(1000)
    assert not hall.room.ended
    hall.join("agent", grants=Grants(agent=True))
    hall.leave(ada)
    hall.pass_time(19.9)
    assert not hall.room.ended, "an agent alone does not keep it, but time must pass"
    hall.pass_time(0.2)
    assert hall.room.ended
    assert hall.room.deadline == inf
    with pytest.raises(LocalProtocolError):
        hall.room.join(Admission(identity="late"), hall.now)


def test_a_join_during_the_departure_time_keeps_the_room():
    hall = Hall(departure_timeout=20)
    hall.leave(hall.join("ada"))
    hall.pass_time(10)
    hall.join("grace")
    hall.pass_time(60)
    assert not hall.room.ended


def test_shutdown_tells_everybody():
    hall = Hall()
    clients = [hall.join(f"p{number}") for number in range(3)]
    hall.room.end(hall.now, LeaveReason.SERVER_SHUTDOWN)
    hall.pump()
    assert all(client.left.reason == models.DisconnectReason.SERVER_SHUTDOWN for client in clients)
    assert not hall.routes
    hall.room.end(hall.now)
    assert hall.room.take_events() == []


def test_a_full_room_refuses_but_lets_an_identity_come_back():
    hall = Hall(max_participants=2)
    hall.join("ada")
    hall.join("grace")
    with pytest.raises(RoomFull):
        hall.room.join(Admission(identity="joan"), hall.now)
    hall.join("ada")
    hall.join("agent", grants=Grants(agent=True))
    assert hall.room.roster.count == 2


def test_offers_are_answered_one_at_a_time_and_the_newest_wins():
    hall = Hall()
    hall.answering = False
    ada = hall.join("ada")
    first = hall.numbered(OfferArrived)[-1]
    ada.offer()
    ada.offer()
    assert hall.numbered(OfferArrived)[-1] is first
    assert hall.room.plan(ada.sid, 99, [], hall.now) is None, "not the offer in progress"
    hall.answering = True
    hall.answer(first)
    hall.pump()
    assert [event.offer_id for event in hall.numbered(OfferArrived)] == [1, 3]
    assert [each.id for each in ada.heard("answer")] == [1, 3]


def test_an_offer_that_is_never_answered_ends_its_participant_alone():
    hall = Hall(negotiation_timeout=15)
    grace = hall.join("grace")
    hall.answering = False
    ada = hall.join("ada")
    hall.pass_time(15.1)
    assert ada.left.reason == models.DisconnectReason.STATE_MISMATCH
    assert "in time" in ada.heard("request_response")[0].message
    assert grace.left is None


def test_an_offer_that_cannot_be_used_is_explained():
    hall = Hall()
    ada = hall.join("ada")
    hall.room.negotiation_failed(ada.sid, "the offer has no fingerprint", hall.now)
    hall.pump()
    assert ada.heard("request_response")[0].message == "the offer has no fingerprint"
    assert ada.left.reason == models.DisconnectReason.STATE_MISMATCH


def test_garbage_is_counted_and_too_much_of_it_ends_the_sender_alone():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    for _ in range(99):
        hall.room.receive(b"\xff\xff", ada.sid, hall.now)
    assert hall.room.participant(ada.sid)
    hall.room.receive(b"", ada.sid, hall.now)
    hall.room.receive(b"x", "PA_nobody", hall.now)
    hall.pump()
    assert hall.room.drops == {"undecodable frame": 100, "unknown participant": 1}
    assert hall.room.participant(ada.sid) is None
    assert grace.left is None


def test_pings_are_answered_with_the_wall_clock():
    hall = Hall()
    ada = hall.join("ada")
    ada.send(ping_req=rtc.Ping(timestamp=77))
    ada.send(ping=5)
    pong = ada.heard("pong_resp")[0]
    assert pong.last_ping_timestamp == 77
    assert pong.timestamp == int((1.7e9 + 100) * 1000)
    assert ada.heard("pong") == [pong.timestamp]


def test_too_many_pending_tracks_are_refused():
    hall = Hall()
    ada = hall.join("ada")
    for number in range(25):
        ada.send(add_track=rtc.AddTrackRequest(cid=f"c{number}"))
    assert len(ada.cids) == 20
    assert {each.reason for each in ada.heard("request_response")} == {rtc.RequestResponse.LIMIT_EXCEEDED}
    ada.send(add_track=rtc.AddTrackRequest(cid=""))
    assert len(ada.cids) == 20


def test_own_metadata_needs_the_grant():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace", grants=Grants(can_update_metadata=True))
    update = rtc.UpdateParticipantMetadata(name="New", metadata="m", attributes={"a": "1"}, request_id=9)
    ada.send(update_metadata=update)
    assert ada.heard("request_response")[0].reason == rtc.RequestResponse.NOT_ALLOWED
    grace.send(update_metadata=update)
    assert grace.heard("request_response")[0].reason == rtc.RequestResponse.OK
    assert grace.heard("request_response")[0].request_id == 9
    assert ada.known["grace"].name == "New"
    assert grace.heard("update")[-1].participants[0].identity == "grace"
    grace.send(update_metadata=rtc.UpdateParticipantMetadata(metadata="x" * 100_000))
    assert grace.heard("request_response")[-1].reason == rtc.RequestResponse.LIMIT_EXCEEDED


def test_room_updates_are_batched_but_never_wrong():
    hall = Hall(snapshot_interval=5.0)
    ada = hall.join("ada")
    hall.pass_time(0.1)
    for number in range(9):
        hall.join(f"p{number}")
    hall.pass_time(20)
    updates = ada.heard("room_update")
    assert len(updates) == 2
    assert updates[-1].room.num_participants == 10


def test_candidates_pass_on_within_a_bound():
    hall = Hall()
    ada = hall.join("ada")
    hall.events.clear()
    ada.send(trickle=rtc.TrickleRequest(candidateInit='{"candidate":""}'))
    ada.send(trickle=rtc.TrickleRequest(candidateInit="x" * 5000))
    assert len(hall.events) == 1


def test_a_track_that_was_muted_before_its_offer_begins_muted():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    ada.send(add_track=rtc.AddTrackRequest(cid="c", type=models.TrackType.AUDIO))
    ada.send(mute=rtc.MuteTrackRequest(sid=ada.cids["c"], muted=True))
    ada.sections["0"] = ("audio", True, "c")
    ada.offer()
    assert hall.routes[ada.cids["c"], grace.sid][2]


def test_tracks_asked_for_with_the_join_are_published_by_the_first_offer():
    hall = Hall()
    grace = hall.join("grace")
    asked = rtc.AddTrackRequest(cid="c", type=models.TrackType.AUDIO)
    ada = Client(hall, "ada")
    ada.sid = hall.room.join(Admission(identity="ada"), hall.now, tracks=[asked])
    hall.clients[ada.sid] = ada
    hall.pump()
    ada.sections["0"] = ("audio", True, "c")
    ada.offer()
    hall.connect(ada)
    assert hall.received_by(grace) == {ada.cids["c"]}


def test_somebody_whose_signalling_is_lost_stays_for_a_while_and_then_leaves():
    hall = Hall(resume_timeout=20)
    ada, grace = hall.join("ada"), hall.join("grace")
    voice = ada.publish("audio")
    ada.vanish()
    hall.pass_time(19.9)
    assert hall.received_by(grace) == {voice}
    assert hall.room.roster.count == 2
    hall.pass_time(0.2)
    assert hall.received_by(grace) == set()
    assert grace.known == {}
    [closed] = hall.numbered(ParticipantClosed)
    assert closed.reason == LeaveReason.SIGNAL_CLOSE
    assert not ada.come_back()
    assert hall.room.participant(grace.sid) is not None


def test_somebody_without_a_working_transport_is_not_kept():
    hall = Hall()
    ada = hall.join("ada", connect=False)
    ada.vanish()
    assert hall.room.roster.count == 0
    patient = Hall(resume_timeout=0)
    grace = patient.join("grace")
    grace.vanish()
    assert patient.room.roster.count == 0


def test_who_comes_back_learns_what_happened_meanwhile():
    hall = Hall()
    ada, grace, joan = hall.join("ada"), hall.join("grace"), hall.join("joan")
    unseen = hall.join("unseen", grants=Grants(hidden=True))
    ada.vanish()
    hall.pass_time(5)
    grace.publish("video")
    hall.leave(joan)
    hall.leave(unseen)
    eve = hall.join("eve")
    voice = eve.publish("audio")
    ada.received.clear()
    assert ada.come_back()
    assert ada.received[0].WhichOneof("message") == "reconnect"
    told = [(info.identity, info.state) for info in ada.received[1].update.participants]
    states = models.ParticipantInfo.State
    assert told == [
        ("joan", states.DISCONNECTED),
        ("grace", states.ACTIVE),
        ("eve", states.ACTIVE),
        ("ada", states.ACTIVE),
    ]
    assert len(ada.known["grace"].tracks) == 1
    assert voice in hall.received_by(ada), "it was asked for sections that it never heard of"
    hall.pass_time(100)
    assert hall.room.participant(ada.sid) is not None


def test_coming_back_needs_the_right_session():
    hall = Hall()
    ada = hall.join("ada")
    ada.vanish()
    assert not hall.room.resume("grace", ada.sid, hall.now)
    assert not hall.room.resume("ada", "PA_older", hall.now)
    assert hall.room.resume("ada", "", hall.now), "by identity alone, as old clients do"
    assert not hall.room.resume("ada", hall.join("ada").sid + "x", hall.now)


def test_who_missed_too_much_joins_anew():
    hall = Hall()
    ada = hall.join("ada")
    ada.vanish()
    for number in range(1000):
        hall.leave(hall.join(f"guest{number}", connect=False))
        hall.gone.clear()
    hall.pass_time(0)
    assert hall.room.participant(ada.sid) is None


def test_a_client_that_comes_back_says_what_it_wants_and_has():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    voice, face = ada.publish("audio"), ada.publish("video")
    own = grace.publish("audio")
    grace.vanish()
    assert grace.come_back()
    known = rtc.TrackPublishedResponse(track=models.TrackInfo(sid=own))
    grace.send(
        sync_state=rtc.SyncState(
            publish_tracks=[known],
            track_sids_disabled=[face, "TR_none"],
            subscription=rtc.UpdateSubscription(track_sids=[voice], subscribe=False),
        )
    )
    assert hall.received_by(grace) == {face}
    assert hall.routes[face, grace.sid][2]
    unknown = rtc.TrackPublishedResponse(track=models.TrackInfo(sid="TR_unknown"))
    grace.send(sync_state=rtc.SyncState(publish_tracks=[known, unknown]))
    assert grace.left.action == rtc.LeaveRequest.RECONNECT


def speakers_told(client):
    told = [{each.sid: each.level for each in message.speakers} for message in client.heard("speakers_changed")]
    client.received.clear()
    return told


def test_who_speaks_is_told_to_those_who_receive_it_and_to_itself():
    hall = Hall()
    ada, grace, joan = hall.join("ada"), hall.join("grace"), hall.join("joan")
    voice, other = ada.publish("audio"), grace.publish("audio")

    def hear(**loudness):
        tracks = {"ada": voice, "grace": other}
        hall.room.heard({tracks[who]: level for who, level in loudness.items()})
        hall.pump()

    joan.send(subscription=rtc.UpdateSubscription(track_sids=[voice], subscribe=False))
    hear(ada=0.3, grace=0.0)
    assert speakers_told(ada) == speakers_told(grace) == [{ada.sid: 0.375}]
    assert speakers_told(joan) == []
    hear(ada=0.37, grace=0.9)
    assert speakers_told(grace) == speakers_told(ada) == [{grace.sid: 1.0}], "what has not changed is no news"
    assert speakers_told(joan) == [{grace.sid: 1.0}]
    joan.send(subscription=rtc.UpdateSubscription(track_sids=[voice], subscribe=True))
    hear(ada=0.37, grace=0.9)
    assert speakers_told(joan) == [{ada.sid: 0.375}], "somebody who speaks already"
    ada.send(mute=rtc.MuteTrackRequest(sid=voice, muted=True))
    hear(ada=0.37)
    assert speakers_told(joan) == speakers_told(ada) == [{ada.sid: 0.0, grace.sid: 0.0}]
    hear()
    assert speakers_told(joan) == []


def test_who_left_does_not_stop_speaking_and_who_comes_back_is_told_anew():
    hall = Hall()
    ada, grace, joan = hall.join("ada"), hall.join("grace"), hall.join("joan")
    voice, other = ada.publish("audio"), grace.publish("audio")
    hall.room.heard({voice: 1.0, other: 1.0})
    joan.vanish()
    hall.leave(grace)
    hall.room.heard({voice: 1.0})
    assert joan.come_back()
    speakers_told(joan)
    hall.room.heard({voice: 1.0})
    hall.pump()
    assert speakers_told(joan) == [{ada.sid: 1.0}]
    assert hall.room._speakers._told.keys() == {ada.sid, joan.sid}


def publish_data(client, handle, name="pose"):
    client.send(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=handle, name=name))
    return client.heard("publish_data_track_response")[-1].info.sid


def want_data(client, *tracks, subscribe=True):
    updates = [rtc.UpdateDataSubscription.Update(track_sid=track, subscribe=subscribe) for track in tracks]
    client.send(update_data_subscription=rtc.UpdateDataSubscription(updates=updates))
    told = client.heard("data_track_subscriber_handles")
    return {handle: each.track_sid for handle, each in told[-1].sub_handles.items()} if told else None


def test_who_receives_something_of_somebody_is_told_how_good_its_connection_is():
    hall = Hall()
    ada, grace, joan = hall.join("ada"), hall.join("grace"), hall.join("joan", auto_subscribe=False)
    voice, face = ada.publish("audio"), ada.publish("video")

    def measure(tracks, **subscribers):
        for client in (ada, grace, joan):
            client.received.clear()
        by_sid = {each.sid: subscribers[each.identity] for each in (ada, grace, joan) if each.identity in subscribers}
        hall.room.measured(tracks, by_sid)
        hall.pump()

    def told(client):
        updates = [each for update in client.heard("connection_quality") for each in update.updates]
        names = {each.sid: each.identity for each in (ada, grace, joan)}
        return {names[each.participant_sid]: each.quality for each in updates}

    excellent, good, poor, lost = (
        getattr(models.ConnectionQuality, name) for name in ("EXCELLENT", "GOOD", "POOR", "LOST")
    )
    measure({voice: 100.0, face: 81.0}, grace=79.0)
    assert told(ada) == {"ada": excellent}, "it receives nothing of the others"
    assert told(grace) == {"grace": good, "ada": excellent}
    assert told(joan) == {}
    [info] = grace.heard("connection_quality")[0].updates[1:]
    assert info.score == pytest.approx(4.06, abs=0.01)
    measure({voice: 100.0, face: 90.0}, grace=41.0)
    assert (told(ada), told(grace)) == ({}, {}), "that is no news"
    measure({voice: 40.0, face: 90.0}, grace=20.0)
    assert (told(ada), told(grace)) == ({"ada": poor}, {"grace": lost, "ada": poor})
    grace.vanish()
    assert grace.come_back()
    measure({voice: 40.0}, grace=20.0)
    assert (told(ada), told(grace)) == ({}, {"grace": lost, "ada": poor}), "who was away may have missed it"
    hall.leave(grace)
    assert grace.sid not in hall.room._qualities._told


def test_a_data_track_goes_to_those_who_asked_under_their_own_handles():
    hall = Hall()
    ada, grace, joan = hall.join("ada"), hall.join("grace"), hall.join("joan")
    pose = publish_data(ada, 7)
    assert [each.name for each in grace.known["ada"].data_tracks] == ["pose"]
    assert hall.room.data_route(ada.sid, 7) == ()
    other = publish_data(grace, 7, "depth")
    assert want_data(joan, other, pose, "DTR_none") == {1: pose, 2: other}
    assert want_data(grace, pose) == {1: pose}
    entry = grace.heard("data_track_subscriber_handles")[0].sub_handles[1]
    assert (entry.publisher_identity, entry.publisher_sid, entry.track_sid) == ("ada", ada.sid, pose)
    assert hall.room.data_route(ada.sid, 7) == ((grace.sid, 1), (joan.sid, 1))
    assert hall.room.data_route(grace.sid, 7) == ((joan.sid, 2),)
    assert want_data(ada, pose) is None, "nobody receives its own"
    assert want_data(joan, pose, subscribe=False) == {2: other}
    assert want_data(joan, pose) == {2: other, 3: pose}
    ada.send(unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=7))
    assert ada.heard("unpublish_data_track_response")[0].info.sid == pose
    assert not grace.known["ada"].data_tracks
    assert hall.room.data_route(ada.sid, 7) is None
    assert not grace.heard("data_track_subscriber_handles")[-1].sub_handles
    ada.send(unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=7))
    assert ada.heard("request_response")[0].reason == rtc.RequestResponse.NOT_FOUND
    hall.leave(grace)
    assert hall.room.data_route(grace.sid, 7) is None
    assert not joan.heard("data_track_subscriber_handles")[-1].sub_handles


def test_data_tracks_follow_permissions():
    hall = Hall()
    ada, mute = hall.join("ada"), hall.join("mute", grants=Grants(can_publish_data=False))
    deaf, hidden = hall.join("deaf", grants=Grants(can_subscribe=False)), hall.join("hid", grants=Grants(hidden=True))
    grace = hall.join("grace")
    mute.send(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1, name="n"))
    refused = mute.heard("request_response")[0]
    assert refused.reason == rtc.RequestResponse.NOT_ALLOWED
    assert refused.publish_data_track.name == "n"
    pose, unseen = publish_data(ada, 1), publish_data(hidden, 1)
    assert want_data(deaf, pose) is None
    assert want_data(grace, unseen) is None
    assert want_data(grace, pose) == {1: pose}
    ada.send(subscription_permission=rtc.SubscriptionPermission(all_participants=False))
    assert hall.room.data_route(ada.sid, 1) == ()
    ada.send(subscription_permission=rtc.SubscriptionPermission(all_participants=True))
    assert len(hall.room.data_route(ada.sid, 1)) == 1, "the wish was kept"


def test_who_comes_back_is_told_its_handles():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    pose, depth = publish_data(ada, 1), publish_data(ada, 2, "depth")
    want_data(grace, pose, depth)
    grace.vanish()
    ada.send(unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=1))
    grace.received.clear()
    assert grace.come_back()
    [told] = grace.heard("data_track_subscriber_handles")
    assert {handle: each.track_sid for handle, each in told.sub_handles.items()} == {2: depth}
    ada.vanish()
    assert ada.come_back()
    listed = [rtc.PublishDataTrackResponse(info=models.DataTrackInfo(sid=depth))]
    ada.send(sync_state=rtc.SyncState(publish_data_tracks=listed))
    assert ada.left is None
    listed.append(rtc.PublishDataTrackResponse(info=models.DataTrackInfo(sid=pose)))
    ada.send(sync_state=rtc.SyncState(publish_data_tracks=listed))
    assert ada.left.action == rtc.LeaveRequest.RECONNECT


def test_requests_that_mean_nothing_here_are_ignored():
    hall = Hall()
    ada = hall.join("ada")
    ada.send(sync_state=rtc.SyncState())
    ada.send(leave=rtc.LeaveRequest())
    assert ada.left is None, "who says goodbye needs none"
    assert hall.numbered(ParticipantClosed)[0].reason == LeaveReason.CLIENT_INITIATED


def test_fifty_participants_all_publish_and_all_receive_everything():
    hall = Hall()
    clients = [hall.join(f"p{number}") for number in range(50)]
    for client in clients:
        client.publish("audio")
    assert len(hall.routes) == 50 * 49
    for client in clients[::2]:
        hall.leave(client)
    assert len(hall.routes) == 25 * 24
    assert hall.room.roster.count == 25
    for client in clients[1::2]:
        assert len(client.known) == 24
        assert len(client.sections) <= 51


def test_nothing_of_a_participant_stays_behind():
    hall = Hall()
    ada = hall.join("ada")
    ada.publish("audio")
    refs = []
    for number in range(20):
        guest = hall.join(f"guest{number}")
        guest.publish("audio")
        guest.publish("video")
        refs.append(weakref.ref(hall.room.participant(guest.sid)))
        hall.leave(guest)
        hall.gone.clear()
    del guest
    hall.events.clear()
    hall.clients = {ada.sid: ada}
    gc.collect()
    assert [ref() for ref in refs if ref() is not None] == []
    assert len(hall.room.participant(ada.sid).subscriptions) == 0


class Churn:
    """A plain model of who is in a room, to hold the room against."""

    def __init__(self):
        self.hall = Hall(join_timeout=30, departure_timeout=20)
        self.present = {}

    def step(self, what, who):
        hall, identity = self.hall, f"p{who}"
        client = self.present.get(identity)
        if hall.room.ended:
            return
        if what == "join":
            self.present[identity] = hall.join(identity, connect=False, dual=who % 2 == 1)
            self.present[identity].rids = ("q", "h", "f")
        elif what == "wish" and client:
            settings = rtc.UpdateTrackSettings(
                track_sids=list(hall.room.participant(client.sid).subscriptions), quality=hall.random.randrange(4)
            )
            client.send(track_setting=settings)
        elif what == "connect" and client:
            hall.connect(client)
        elif what == "away" and client:
            client.vanish()
            if client.sid not in hall.clients:
                del self.present[identity]
        elif what == "back" and client:
            assert client.come_back() == hall.room.participant(client.sid).active
        elif client and client.away and what in {"audio", "video", "unpublish"}:
            return
        elif what in {"audio", "video"} and client and len(client.sections) < 12:
            client.publish(what)
        elif what == "leave" and client:
            hall.leave(self.present.pop(identity))
        elif what == "crash" and client:
            hall.leave(self.present.pop(identity), LeaveReason.SIGNAL_CLOSE)
        elif what == "unpublish" and client:
            for track in list(client.cids.values())[:1]:
                client.unpublish(track)
        elif what == "lazy" and client:
            client.lazy = not client.lazy
        elif what == "wait":
            hall.pass_time(1.0 + who)
            self.present = {each.identity: each for each in hall.clients.values()}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                (
                    *("join", "join", "connect", "audio", "video", "leave", "crash"),
                    *("unpublish", "lazy", "wait", "away", "back", "wish", "wish"),
                )
            ),
            st.integers(0, 4),
        ),
        max_size=60,
    )
)
@settings(max_examples=50, deadline=None)
def test_whatever_happens_the_counts_and_routes_follow_from_who_is_here(steps):
    churn = Churn()
    hall = churn.hall
    for what, who in steps:
        churn.step(what, who)
        assert {client.identity for client in hall.clients.values()} == churn.present.keys()
        assert hall.room.roster.count == len(churn.present)
        live = {info.sid: participant for participant in hall.room.roster for info in participant.publications}
        for track, subscriber in hall.routes:
            assert track in live
            assert hall.room.participant(subscriber).active
            assert live[track].sid != subscriber
        for participant in hall.room.roster:
            client = hall.clients[participant.sid]
            if client.away:
                continue
            others = {each.identity: each.sid for each in hall.room.roster.others(participant)}
            assert {identity: info.sid for identity, info in client.known.items()} == others
            dynacast, told = hall.room._dynacast, layers_wanted(client)
            for info in participant.publications:
                if info.kind == "video" and dynacast._told.get(info.sid) != dynacast._wanted(info):
                    assert hall.room._context.timers.armed(f"dynacast:{info.sid}")
                if info.sid in dynacast._told:
                    assert told[info.sid] == dynacast._told[info.sid] + 1
            if participant.active and not client.lazy:
                missing = {sid for sid, owner in live.items() if owner is not participant} - hall.received_by(client)
                assert not missing or hall.room.deadline < inf
    for event in hall.numbered(ParticipantLeft, ConnectionAborted):
        assert event.participant.identity
    hall.room.end(hall.now)
    hall.pump()
    joins = len(hall.numbered(ParticipantClosed))
    assert joins == len(hall.numbered(ParticipantLeft, ConnectionAborted))
    assert len(hall.numbered(ParticipantJoined)) == len(hall.numbered(ParticipantLeft))
    assert hall.routes == {}
    assert hall.room.deadline == inf
