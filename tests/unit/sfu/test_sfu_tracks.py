"""Publications, subscriptions and sections, each alone."""

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from sfu.tracks import (
    Action,
    OfferedSection,
    OwnSections,
    Publications,
    Sections,
    Subscription,
    TrackInfo,
    Wish,
    reconcile,
)


def section(mid, kind="audio", sends=False, receives=True, track_id=""):
    return OfferedSection(mid=mid, kind=kind, sends=sends, receives=receives, track_id=track_id)


def asked(cid, kind=models.TrackType.AUDIO, **more):
    return rtc.AddTrackRequest(cid=cid, type=kind, **more)


def test_the_decision_table_of_subscriptions():
    table = {
        (desired, available, bound): reconcile(desired=desired, available=available, bound=bound)
        for desired, available, bound in itertools.product((True, False), repeat=3)
    }
    assert table == {
        (True, True, True): Action.NOTHING,
        (True, True, False): Action.BIND,
        (True, False, True): Action.UNBIND,
        (True, False, False): Action.FORGET,
        (False, True, True): Action.UNBIND,
        (False, True, False): Action.NOTHING,
        (False, False, True): Action.UNBIND,
        (False, False, False): Action.FORGET,
    }


def test_reconciling_ends_within_two_steps():
    """Carrying out each named action never leads back."""
    for desired, available in itertools.product((True, False), repeat=2):
        for bound in (True, False):
            steps = 0
            state = bound
            while (action := reconcile(desired=desired, available=available, bound=state)) in {
                Action.BIND,
                Action.UNBIND,
            }:
                state = action is Action.BIND
                steps += 1
                assert steps <= 2


def test_a_new_binding_is_a_new_generation():
    subscription = Subscription(track="TR_1", publisher="PA_1", kind="audio", wanted=True)
    subscription.bind("3", 1.0)
    subscription.answered = subscription.routed = True
    assert subscription.unbind() == "3"
    assert (subscription.bound, subscription.answered, subscription.routed) == (False, False, False)
    subscription.bind("4", 2.0)
    assert subscription.generation == 2


def test_applying_the_same_state_twice_is_nothing():
    info = TrackInfo(sid="TR_1", kind="audio")
    muted = info.evolve(muted=True)
    assert muted.version == 2
    assert muted.evolve(muted=True) is muted


def test_track_info_as_a_message_keeps_what_the_publisher_asked_for():
    publications = Publications()
    request = asked("c", models.TrackType.VIDEO, width=640, stereo=True, layers=[models.VideoLayer(width=320)])
    info = publications.request(request, "TR_1")
    live = info.evolve(mid="4", mime_type="video/VP8", rids=("q", "h"))
    message = live.to_message()
    assert message.type == models.TrackType.VIDEO
    assert message.simulcast
    assert message.stereo
    assert message.layers[0].width == 320
    assert message.codecs[0].mime_type == "video/VP8"
    assert message.version.unix_micro == live.version


@pytest.mark.parametrize(
    ("wish", "ceiling"),
    [
        ({}, 2),
        ({"quality": 0}, 0),
        ({"quality": 1}, 1),
        ({"quality": 2}, 2),
        ({"quality": 9}, 2),
        ({"width": 320, "height": 180}, 0),
        ({"width": 100, "height": 60}, 0),
        ({"width": 322, "height": 181}, 1),
        ({"width": 360, "height": 640}, 1),  # upright
        ({"width": 640}, 2),
        ({"width": 1280, "height": 720}, 2),
        ({"width": 3840, "height": 2160, "quality": 0}, 2),
    ],
)
def test_a_wish_means_the_lowest_layer_that_fulfils_it(wish, ceiling):
    layers = [
        models.VideoLayer(quality=models.VideoQuality.HIGH, width=1280, height=720),
        models.VideoLayer(quality=models.VideoQuality.LOW, width=320, height=180),
        models.VideoLayer(quality=models.VideoQuality.MEDIUM, width=640, height=360),
    ]
    request = asked("c", models.TrackType.VIDEO, width=1280, height=720, layers=layers).SerializeToString()
    announced = TrackInfo(sid="TR_1", kind="video", width=1280, height=720, rids=("f", "q", "h"), request=request)
    halved = attrs.evolve(announced, request=b"")
    assert Wish(**wish).ceiling(announced) == Wish(**wish).ceiling(halved) == ceiling


def test_a_wish_for_a_track_without_layers_changes_nothing():
    info = TrackInfo(sid="TR_1", kind="video")
    assert Wish(quality=0).ceiling(info) == Wish(width=9, height=9).ceiling(info) == Wish().ceiling(info) == 0


def sids(matched):
    return {mid: info.sid for mid, info in matched.items()}


def test_a_section_is_matched_by_client_id_then_by_being_the_only_one():
    publications = Publications()
    publications.request(asked("voice"), "TR_1")
    publications.request(asked("face", models.TrackType.VIDEO), "TR_2")
    sections = [
        section("0", "audio", sends=True, track_id="voice"),
        section("1", "video", sends=True, track_id="{else}"),
    ]
    assert sids(publications.match(sections)) == {"0": "TR_1", "1": "TR_2"}
    new, ended = publications.settle(sections, {"0": "audio/opus", "1": "video/VP8"})
    assert [(info.sid, info.mid, info.mime_type) for info in new] == [
        ("TR_1", "0", "audio/opus"),
        ("TR_2", "1", "video/VP8"),
    ]
    assert ended == []
    assert sids(publications.match(sections)) == {"0": "TR_1", "1": "TR_2"}, "and again in the next offer"
    assert publications.by_mid() == {"0": "TR_1", "1": "TR_2"}


def test_two_unnamed_tracks_of_a_kind_are_not_guessed():
    publications = Publications()
    publications.request(asked("a"), "TR_1")
    publications.request(asked("b"), "TR_2")
    assert publications.match([section("0", sends=True, track_id="x")]) == {}
    assert publications.match([section("0", "video", sends=True, track_id="a")]) == {}, "of another kind"


def test_a_section_that_stops_sending_ends_its_track():
    publications = Publications()
    publications.request(asked("a"), "TR_1")
    on, off = [section("0", sends=True, track_id="a")], [section("0")]
    publications.match(on)
    publications.settle(on, {})
    publications.match(off)
    new, ended = publications.settle(off, {})
    assert new == []
    assert [info.sid for info in ended] == ["TR_1"]
    assert len(publications) == 0


def test_a_reused_section_with_another_track_replaces_the_first():
    publications = Publications()
    publications.request(asked("a"), "TR_1")
    first = [section("0", sends=True, track_id="a")]
    publications.match(first)
    publications.settle(first, {})
    publications.request(asked("b"), "TR_2")
    second = [section("0", sends=True, track_id="b")]
    assert sids(publications.match(second)) == {"0": "TR_2"}
    new, ended = publications.settle(second, {})
    assert ([i.sid for i in new], [i.sid for i in ended]) == (["TR_2"], ["TR_1"])


def test_mute_reaches_a_track_wherever_it_is():
    publications = Publications()
    publications.request(asked("a"), "TR_1")
    assert publications.change("TR_1", muted=True).muted
    assert publications.change("TR_1", muted=True) is None
    sections = [section("0", sends=True, track_id="a")]
    publications.match(sections)
    assert not publications.change("TR_1", muted=False).muted
    publications.settle(sections, {})
    assert publications.get("TR_1").muted is False
    assert publications.change("TR_unknown", muted=True) is None
    assert "TR_1" in publications
    assert [info.sid for info in publications.clear()] == ["TR_1"]


def test_asking_again_with_the_same_client_id_keeps_the_sid():
    publications = Publications()
    first = publications.request(asked("a"), "TR_1")
    second = publications.request(asked("a", name="n"), "TR_2")
    assert second.sid == "TR_1"
    assert second.version > first.version


def test_sections_are_asked_for_once():
    sections = Sections()
    assert sections.requirement({"audio": 2, "video": 1}) == (2, 1)
    assert sections.requirement({"audio": 2, "video": 1}) is None
    assert sections.requirement({"audio": 3, "video": 1}) == (1, 0)
    sections.observe([section("0"), section("1"), section("2"), section("3", "video")])
    assert not sections.asked
    assert sections.take("audio", "TR_1") == "0"
    assert sections.take("video", "TR_2") == "3"
    assert sections.take("video", "TR_3") == ""
    assert sections.carried() == {"0": "TR_1", "3": "TR_2"}
    assert sections.requirement({"audio": 0, "video": 0}) is None


def test_a_section_retires_before_it_carries_another_track():
    sections = Sections()
    sections.observe([section("0")])
    sections.take("audio", "TR_1")
    sections.release("0")
    assert sections.take("audio", "TR_2") == ""
    assert sections.requirement({"audio": 0, "video": 0}) == (0, 0), "a fresh offer turns it off"
    sections.observe([section("0")])
    sections.settle(sections.idle())
    assert sections.take("audio", "TR_2") == "0"


def test_of_our_own_sections_none_gets_its_last_track_again():
    sections = OwnSections()
    names = set()
    for _ in range(5):
        assert sections.take("audio", "TR_1") not in names
        (name,) = sections.carried()
        names.add(name)
        sections.release(name)
        sections.settle(sections.idle())
    assert len(sections.kinds()) == 1, "those that are given up are gone"
    assert sections.take("audio", "TR_2") == name, "another track may have it"
    assert sections.take("audio", "TR_1") not in names
    sections.release(name)
    hasty = sections.take("audio", "TR_2")
    assert hasty not in names, "the first is still retiring"
    assert len(sections.kinds()) == 3


def test_sections_that_the_client_takes_away_are_reported():
    sections = Sections()
    sections.observe([section("0"), section("1")])
    sections.take("audio", "TR_1")
    assert sections.observe([section("1"), section("0", sends=True)]) == ["TR_1"]
    sections.release("0")
    assert sections.carried() == {}


def test_a_client_that_does_not_answer_is_asked_anew():
    sections = Sections()
    assert sections.requirement({"audio": 1, "video": 0}) == (1, 0)
    sections.observe([])
    assert sections.asked, "that offer does not have what was asked for"
    assert sections.requirement({"audio": 1, "video": 0}) is None
    sections.give_up_waiting()
    assert sections.requirement({"audio": 1, "video": 0}) == (1, 0)


@given(st.lists(st.sampled_from(["want", "drop", "offer"]), max_size=60))
def test_a_willing_client_always_gets_enough_sections(steps):
    """Whatever order wishes and offers come in: after the last offers every wish has a section, and few are made."""
    sections, mids, wishes, most = Sections(), 0, {}, 0
    names = itertools.count()

    def offer():
        nonlocal mids
        sections.observe([section(str(mid)) for mid in range(mids)])
        for wish in [wish for wish, mid in wishes.items() if not mid]:
            wishes[wish] = sections.take("audio", wish)
        sections.settle(sections.idle())

    def ask():
        nonlocal mids
        requirement = sections.requirement({"audio": sum(not mid for mid in wishes.values()), "video": 0})
        if requirement is not None:
            mids += requirement[0]
        return requirement

    for step in steps:
        if step == "want":
            wishes[f"TR_{next(names)}"] = ""
        elif step == "drop" and wishes:
            mid = wishes.pop(next(iter(wishes)))
            if mid:
                sections.release(mid)
        elif step == "offer":
            offer()
        most = max(most, len(wishes))
        ask()
    for _ in range(4):
        offer()
        if ask() is None and not sections.asked:
            break
    assert all(wishes.values())
    assert mids <= 2 * most + 1
