"""Webhooks: what waits for an address, in order and within bounds, and what a message says."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from livekit.protocol import models, webhook

from sfu.rooms import OfferArrived, ParticipantLeft, RoomStarted, TrackPublished
from sfu.server import ConfigError
from sfu.server.config import load
from sfu.telemetry import HookQueue, event_message, is_told
from sfu.telemetry.hook_queue import FIRST_PAUSE, LIMIT, LONGEST_PAUSE, MAX_AGE
from sfu.tracks import TrackInfo


def event(number):
    return webhook.WebhookEvent(id=str(number))


# ---- the queue


def test_events_go_one_by_one_and_in_order():
    queue = HookQueue()
    for number in range(3):
        queue.put(event(number), 0.0)
    for number in range(3):
        assert queue.take(1.0).id == str(number)
        assert queue.take(1.0) is None, "one at a time"
        queue.settle(True, 1.0)
    assert (len(queue), queue.delivered, queue.take(1.0)) == (0, 3, None)


def test_what_is_not_taken_is_tried_again_ever_less_often_and_holds_back_the_rest():
    queue = HookQueue()
    queue.put(event(1), 0.0)
    queue.put(event(2), 0.0)
    now, pauses = 0.0, []
    for _ in range(10):
        assert queue.take(now).id == "1"
        queue.settle(False, now)
        assert queue.take(now) is None
        pauses.append(queue.deadline - now)
        now = queue.deadline
    assert pauses[:4] == [FIRST_PAUSE * 2**n for n in range(4)]
    assert max(pauses) == LONGEST_PAUSE
    assert queue.take(now).id == "1"
    queue.settle(True, now)
    assert queue.take(now).id == "2", "at once: the address is back"
    assert queue.failures == 10


def test_what_is_too_old_is_given_up_and_told_of():
    queue = HookQueue()
    for number in range(3):
        queue.put(event(number), 100.0 * number)
    sent = queue.take(MAX_AGE + 150.0)
    assert (sent.id, sent.num_dropped, queue.dropped) == ("2", 2, 2)
    queue.settle(False, MAX_AGE + 150.0)
    again = queue.take(MAX_AGE + 151.0)
    assert (again.id, again.num_dropped) == ("2", 2), "nobody has heard of it"
    queue.settle(True, MAX_AGE + 151.0)
    queue.put(event(3), MAX_AGE + 152.0)
    assert queue.take(MAX_AGE + 152.0).num_dropped == 0
    assert queue.take(2 * MAX_AGE + 153.0) is None
    empty = HookQueue()
    empty.put(event(1), 0.0)
    assert empty.take(MAX_AGE + 1) is None
    assert len(empty) == 0


def test_no_more_than_so_many_wait_and_the_one_on_its_way_is_not_given_up():
    queue = HookQueue()
    for number in range(LIMIT):
        queue.put(event(number), 0.0)
    assert queue.take(0.0).id == "0"
    queue.put(event(LIMIT), 0.0)
    assert (len(queue), queue.dropped) == (LIMIT, 1)
    queue.settle(True, 0.0)
    following = queue.take(0.0)
    assert (following.id, following.num_dropped) == ("2", 1)


class Delivery(RuleBasedStateMachine):
    """Whatever an address does: each event arrives once as taken, in order, or is counted as dropped."""

    def __init__(self):
        super().__init__()
        self.queue = HookQueue()
        self.now = 0.0
        self.made = 0
        self.taken = []
        self.told = 0
        self.out = None

    @rule(count=st.integers(1, 400))
    def put(self, count):
        for _ in range(count):
            self.queue.put(event(self.made), self.now)
            self.made += 1

    @rule(seconds=st.sampled_from([0.0, 0.3, 5.0, 60.0, 400.0]))
    def wait(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.out is None)
    @rule()
    def take(self):
        self.out = self.queue.take(self.now)

    @precondition(lambda self: self.out is not None)
    @rule(taken=st.booleans())
    def settle(self, taken):
        if taken:
            self.taken.append(int(self.out.id))
            self.told += self.out.num_dropped
        self.out = None
        self.queue.settle(taken, self.now)

    @invariant()
    def holds(self):
        queue = self.queue
        assert self.taken == sorted(set(self.taken))
        assert queue.delivered == len(self.taken)
        assert self.made == queue.delivered + queue.dropped + len(queue)
        assert len(queue) <= LIMIT
        assert self.told <= queue.dropped


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(deadline=None, max_examples=50, stateful_step_count=40)


# ---- the messages


def test_a_message_says_what_happened_to_whom_and_when():
    room = models.Room(sid="RM_1", name="demo", num_participants=2)
    ada = models.ParticipantInfo(sid="PA_1", identity="ada")
    info = TrackInfo(sid="TR_1", kind="video", mime_type="video/VP8")
    started = event_message(RoomStarted(1, room), 1000.7)
    assert (started.event, started.id, started.created_at) == ("room_started", "EV_RM_1_1", 1000)
    assert not started.HasField("participant")
    published = event_message(TrackPublished(4, room, ada, info), 1001.0)
    assert (published.event, published.participant.identity) == ("track_published", "ada")
    assert (published.track.sid, published.track.mime_type) == ("TR_1", "video/VP8")
    left = event_message(ParticipantLeft(5, room, ada), 1002.0)
    assert (left.event, left.room.num_participants, left.HasField("track")) == ("participant_left", 2, False)
    assert is_told(RoomStarted(1, room))
    assert not is_told(OfferArrived("PA_1", 1, ""))


# ---- settings


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"webhook_urls": "example.com/hook"}, "is not a web address"),
        ({"webhook_urls": "ftp://example.com"}, "is not a web address"),
        ({"webhook_urls": "http://a..b/hook"}, "is not a web address"),
        ({"webhook_urls": "http://[::1/hook"}, "is not a web address"),
        ({"webhook_urls": "http://example.com:port/"}, "is not a web address"),
        ({"webhook_urls": "http://exa mple.com/"}, "is not a web address"),
        ({"webhook_urls": "http://me:secret@example.com/"}, "leave user and password out of the address at example"),
        ({"webhook_key": "other"}, "webhook_key: 'other' is not one of the API keys; known are: devkey"),
    ],
)
def test_wrong_settings_say_what_would_be_right(flags, says):
    with pytest.raises(ConfigError, match=says):
        load(flags, {}, dev=True)


@pytest.mark.parametrize("url", ["http://me:hidden@example.com/", "http://me:hidden@exa mple.com/", "me:hidden@host"])
def test_no_message_repeats_a_password(url):
    with pytest.raises(ConfigError) as error:
        load({"webhook_urls": url}, {}, dev=True)
    assert "hidden" not in str(error.value)


def test_addresses_are_separated_by_commas_and_told_once():
    config = load({"webhook_urls": "https://a.example/x, http://127.0.0.1:9/y,https://a.example/x"}, {}, dev=True)
    assert config.webhook_urls == ("https://a.example/x", "http://127.0.0.1:9/y")
