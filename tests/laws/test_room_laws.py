"""The eight laws on the room: its datagrams are signalling frames, its paths are participants."""

from hypothesis import strategies as st
from livekit.protocol import models, rtc

from pystack.base import SeededRandomness
from pystack.testing.laws import START, Command, CoreLaws, Scenario, Side
from sfu.rooms import Admission, LeaveReason, Room, RoomOptions
from sfu.signal import Offer
from sfu.tracks import OfferedSection

_IDENTITIES = ("ada", "grace", "joan")


def _sid(room, index):
    """The session of a participant by its place, also of those who have left."""
    participants = list(room.roster)
    return participants[index % len(participants)].sid if participants else "PA_nobody"


def _offer(room, which, now):
    index, audios, videos = which
    offers = [each for each in room.roster if each.session.offers.current is not None]
    if not offers:
        request = rtc.SignalRequest(offer=rtc.SessionDescription(type="offer", sdp="v=0", id=index))
        room.receive(request.SerializeToString(), _sid(room, index), now)
        return
    participant = offers[index % len(offers)]
    current = participant.session.offers.current
    sections = [
        OfferedSection(
            mid=str(mid), kind="audio" if mid % 2 else "video", sends=mid < audios, receives=True, track_id="c"
        )
        for mid in range(audios + videos)
    ]
    room.plan(participant.sid, current.id, sections, now)
    room.answered(participant.sid, current.id, "v=0", now, mime_types={"0": "video/VP8"})


def _made(room, index, now):
    room.offer_made(_sid(room, index), index, "v=0", {"audio-0": "0", "video-1": "1"})


def _applied(room, index, now):
    participants = [each for each in room.roster if each.session.proposals.answered]
    if participants:
        participant = participants[index % len(participants)]
        room.answer_applied(participant.sid, participant.session.proposals.current, now)


def _request(room, which, now):
    index, message = which
    room.receive(message.SerializeToString(deterministic=True), _sid(room, index), now)


_small = st.integers(0, 5)
_requests = st.one_of(
    st.builds(
        lambda cid, kind: rtc.SignalRequest(add_track=rtc.AddTrackRequest(cid=cid, type=kind)),
        st.sampled_from("abc"),
        st.sampled_from([models.TrackType.AUDIO, models.TrackType.VIDEO]),
    ),
    st.builds(lambda text: rtc.SignalRequest(trickle=rtc.TrickleRequest(candidateInit=text)), st.text(max_size=20)),
    st.builds(lambda stamp: rtc.SignalRequest(ping_req=rtc.Ping(timestamp=stamp)), st.integers(0, 1 << 40)),
    st.just(rtc.SignalRequest(subscription_permission=rtc.SubscriptionPermission(all_participants=False))),
    st.builds(
        lambda name: rtc.SignalRequest(update_metadata=rtc.UpdateParticipantMetadata(name=name, request_id=1)),
        st.text(max_size=20),
    ),
    st.builds(
        lambda number: rtc.SignalRequest(answer=rtc.SessionDescription(type="answer", sdp="v=0", id=number)),
        st.integers(0, 3),
    ),
    st.just(rtc.SignalRequest(leave=rtc.LeaveRequest())),
)


class TestRoomLaws(CoreLaws):
    def make(self, seed):
        options = RoomOptions(
            join_timeout=3.0, resume_timeout=4.0, empty_timeout=30.0, departure_timeout=5.0, negotiation_timeout=2.0
        )
        room = Room("laws", options, SeededRandomness(seed), START, epoch=1.7e9)
        return Scenario(
            sides=[Side("room", room, path="PA_stranger")],
            commands=[
                Command(
                    "join",
                    lambda core, index, now: core.join(
                        Admission(identity=_IDENTITIES[index % 3], name="x", dual=index % 2 == 1),
                        now,
                        offer=Offer(index, "v=0"),
                    ),
                    _small,
                ),
                Command("made", _made, _small),
                Command("applied", _applied, _small),
                Command(
                    "measured",
                    lambda core, index, now: core.measured(
                        {info.sid: 20.0 * index for each in core.roster for info in each.publications},
                        {_sid(core, index): 100.0},
                    ),
                    _small,
                ),
                Command("connected", lambda core, index, now: core.connected(_sid(core, index), now), _small),
                Command("offer", _offer, st.tuples(_small, _small, _small)),
                Command("request", _request, st.tuples(_small, _requests)),
                Command(
                    "garbage", lambda core, data, now: core.receive(data, _sid(core, 0), now), st.binary(max_size=60)
                ),
                Command(
                    "leave",
                    lambda core, index, now: core.leave(_sid(core, index), LeaveReason.SIGNAL_CLOSE, now, "law"),
                    _small,
                ),
                Command("lost", lambda core, index, now: core.signal_lost(_sid(core, index), now), _small),
                Command(
                    "resume",
                    lambda core, index, now: core.resume(_IDENTITIES[index % 3], "", now, last_sequence=index),
                    _small,
                ),
                Command(
                    "fail", lambda core, index, now: core.negotiation_failed(_sid(core, index), "law", now), _small
                ),
            ],
            end=lambda core, now: core.end(now),
        )
