"""What a room's owner does to it from outside, with no socket and no sleep."""

import pytest
from livekit.protocol import models

from sfu.rooms import Grants, RequestRefused, RoomFull, RouteRemoved
from tests.sim.hall import Hall

MICROPHONE, CAMERA = models.TrackSource.MICROPHONE, models.TrackSource.CAMERA


def hall_of_two():
    hall = Hall()
    ada, grace = hall.join("ada"), hall.join("grace")
    return hall, ada, grace


def refused(code, says):
    return pytest.raises(RequestRefused, match=says, check=lambda error: error.code == code)


def test_everybody_is_listed_the_hidden_ones_included():
    hall, ada, _ = hall_of_two()
    hall.join("joan", grants=Grants(hidden=True))
    administration = hall.room.administration
    assert sorted(each.identity for each in administration.participants()) == ["ada", "grace", "joan"]
    assert administration.participant("ada").sid == ada.sid
    with refused("not_found", "nobody called 'none' is in room 'hall'"):
        administration.participant("none")


def test_who_is_removed_is_told_why_and_is_gone_for_the_others():
    hall, ada, grace = hall_of_two()
    hall.room.administration.remove("ada", hall.now)
    hall.pump()
    assert ada.left.reason == models.DisconnectReason.PARTICIPANT_REMOVED
    assert "ada" not in grace.known
    with refused("not_found", "nobody called 'ada'"):
        hall.room.administration.remove("ada", hall.now)


def test_a_track_is_muted_for_everybody_and_unmuted_by_nobody_else():
    hall, ada, grace = hall_of_two()
    voice = ada.publish("audio", source=MICROPHONE)
    administration = hall.room.administration
    for _ in range(2):
        assert administration.mute("ada", voice, True).muted
        hall.pump()
    assert [(each.sid, each.muted) for each in ada.heard("mute")] == [(voice, True)], "twice is told once"
    assert grace.known["ada"].tracks[0].muted
    with refused("failed_precondition", "by its publisher"):
        administration.mute("ada", voice, False)
    with refused("not_found", "publishes no track 'TR_none'"):
        administration.mute("ada", "TR_none", True)


def test_what_is_said_of_somebody_changes_and_the_empty_stays():
    hall, _, grace = hall_of_two()
    administration = hall.room.administration
    administration.update("ada", hall.now, name="Ada L.", metadata="m", attributes={"hand": "up", "seat": "1"})
    changed = administration.update("ada", hall.now, attributes={"hand": ""})
    hall.pump()
    assert (changed.name, changed.metadata, dict(changed.attributes)) == ("Ada L.", "m", {"seat": "1"})
    assert grace.known["ada"].name == "Ada L."
    with refused("invalid_argument", "metadata is above"):
        administration.update("ada", hall.now, name="other", metadata="x" * 70_000)
    assert administration.participant("ada").name == "Ada L.", "a refusal changes nothing"


def test_what_may_not_be_published_any_more_ends():
    hall, ada, grace = hall_of_two()
    voice, face = ada.publish("audio", source=MICROPHONE), ada.publish("video", source=CAMERA)
    assert hall.received_by(grace) == {voice, face}
    grants = Grants(publish_sources=frozenset({MICROPHONE}), hidden=True)
    hall.room.administration.update("ada", hall.now, grants=grants)
    hall.pump()
    assert [each.track_sid for each in ada.heard("track_unpublished")] == [face]
    assert hall.received_by(grace) == {voice}
    assert [each.sid for each in grace.known["ada"].tracks] == [voice], "nobody is hidden after the fact"
    hall.room.administration.update("grace", hall.now, grants=Grants(can_subscribe=False))
    hall.pump()
    assert hall.received_by(grace) == set()


def test_subscriptions_are_taken_and_given_back():
    hall, ada, grace = hall_of_two()
    voice = ada.publish("audio")
    for wanted, expected in ((False, set()), (True, {voice})):
        hall.room.administration.subscribe("grace", [voice, "TR_none"], wanted, hall.now)
        hall.pump()
        hall.pass_time(5)
        assert hall.received_by(grace) == expected
    assert any(isinstance(each, RouteRemoved) for each in hall.events)


def test_the_room_is_configured():
    hall = Hall()
    hall.room.configure(hall.now, metadata="first", empty_timeout=700, departure_timeout=9, max_participants=1)
    told = hall.room.message()
    assert (told.metadata, told.empty_timeout, told.departure_timeout, told.max_participants) == ("first", 700, 9, 1)
    hall.pass_time(600)
    assert not hall.room.ended, "its time-out began anew"
    ada = hall.join("ada")
    with pytest.raises(RoomFull):
        hall.join("grace")
    hall.room.configure(hall.now, metadata="second", max_participants=2)
    hall.pump()
    assert [each.room.metadata for each in ada.heard("room_update")][-1] == "second"
    hall.join("grace")
    with refused("invalid_argument", "metadata is above"):
        hall.room.configure(hall.now, metadata="x" * 70_000, max_participants=5)
    assert hall.room.message().max_participants == 2, "a refusal changes nothing"


def test_an_empty_room_ends_at_the_time_that_its_owner_chose():
    hall = Hall()
    hall.room.configure(hall.now, empty_timeout=7)
    hall.pass_time(6)
    assert not hall.room.ended
    hall.pass_time(2)
    assert hall.room.ended
