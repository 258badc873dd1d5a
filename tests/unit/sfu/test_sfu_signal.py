"""Frames, the way a client introduces itself, and the order of its offers."""

import base64
import contextlib
import gzip
import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from pystack.errors import DecodeError
from sfu.signal import (
    MAX_DECOMPRESSED,
    MAX_FRAME,
    Offer,
    Offers,
    Pace,
    Proposals,
    SignalSession,
    decode_request,
    parse_hello,
    request_from_text,
    response_to_text,
)


def wrapped(request, compression=rtc.WrappedJoinRequest.NONE, data=None):
    data = request.SerializeToString() if data is None else data
    return base64.urlsafe_b64encode(
        rtc.WrappedJoinRequest(compression=compression, join_request=data).SerializeToString()
    ).decode()


JOIN = rtc.JoinRequest(
    client_info=models.ClientInfo(sdk=models.ClientInfo.SDK.PYTHON, client_protocol=2),
    connection_settings=rtc.ConnectionSettings(auto_subscribe=True),
    publisher_offer=rtc.SessionDescription(type="offer", sdp="v=0", id=1),
)


def test_a_join_request_plain_and_compressed():
    for text in (
        wrapped(JOIN),
        wrapped(None, rtc.WrappedJoinRequest.GZIP, gzip.compress(JOIN.SerializeToString(), mtime=0)),
        wrapped(JOIN).rstrip("="),
    ):
        hello = parse_hello({"join_request": text})
        assert hello.client.client_protocol == 2
        assert hello.offer.sdp == "v=0"
        assert hello.auto_subscribe
        assert not hello.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("!!!", "base64"),
        ("é", "base64"),
        (base64.urlsafe_b64encode(b"\xff\xff").decode(), "WrappedJoinRequest"),
        (wrapped(None, rtc.WrappedJoinRequest.GZIP, b"not gzip"), "gzip"),
        (wrapped(None, rtc.WrappedJoinRequest.GZIP, gzip.compress(b"abc" * 100, mtime=0)[:-9]), "cut short"),
        (wrapped(None, rtc.WrappedJoinRequest.GZIP, gzip.compress(bytes(MAX_DECOMPRESSED + 1), mtime=0)), "above"),
        (wrapped(None, rtc.WrappedJoinRequest.GZIP, gzip.compress(b"\xff\xff", mtime=0)), "JoinRequest"),
        (wrapped(JOIN, 7), "compression"),
    ],
)
def test_a_bad_join_request_names_the_step_that_failed(text, why):
    with pytest.raises(DecodeError, match=why):
        parse_hello({"join_request": text})


def test_a_client_without_protobuf_uses_the_query():
    hello = parse_hello(
        {
            "auto_subscribe": "0",
            "adaptive_stream": "true",
            "encoding": "json",
            "sdk": "js",
            "protocol": "17",
            "client_protocol": "x",
            "reconnect": "1",
            "sid": "PA_1",
        }
    )
    assert (hello.auto_subscribe, hello.adaptive_stream, hello.text) == (False, True, True)
    assert (hello.client.sdk, hello.client.protocol, hello.client.client_protocol) == (1, 17, 0)
    assert (hello.reconnect, hello.resume_sid) == (True, "PA_1")
    assert parse_hello({}).auto_subscribe


def test_the_older_form_brings_attributes_in_the_query():
    def parsed(text):
        return parse_hello({"attributes": base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")}).attributes

    assert parsed('{"a": "1", "é": 2}') == {"a": "1", "é": "2"}
    assert parse_hello({"attributes": ""}).attributes == {}
    for wrong in ("[]", "{", "1", '{"a": "\\ud800"}', "[" * 5000):
        with pytest.raises(DecodeError, match="attributes"):
            parsed(wrong)
    with pytest.raises(DecodeError, match="base64"):
        parse_hello({"attributes": "!"})


def test_the_older_form_says_in_the_query_what_the_client_can():
    query = {
        "sdk": "python",
        "os_version": "12",
        "device_model": "pc",
        "capabilities": "CAP_PACKET_TRAILER,CAP_OF_TOMORROW,,CAP_COMPRESSION_DEFLATE_RAW",
    }
    client = parse_hello(query).client
    can = models.ClientInfo.Capability
    assert list(client.capabilities) == [can.CAP_PACKET_TRAILER, can.CAP_COMPRESSION_DEFLATE_RAW]
    assert (client.os_version, client.device_model) == ("12", "pc")


def test_both_forms_of_a_frame_mean_the_same():
    request = rtc.SignalRequest(add_track=rtc.AddTrackRequest(cid="c", type=models.TrackType.VIDEO, width=640))
    text = json.dumps({"addTrack": {"cid": "c", "type": "VIDEO", "width": 640}, "fromTheFuture": 1})
    assert decode_request(request_from_text(text)) == request
    answer = rtc.SignalResponse(answer=rtc.SessionDescription(sdp="v=0", id=3, mid_to_track_id={"0": "TR_1"}))
    shown = json.loads(response_to_text(answer.SerializeToString()))
    assert shown == {"answer": {"sdp": "v=0", "id": 3, "midToTrackId": {"0": "TR_1"}}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "1",
        '{"addTrack": 5}',
        '{"offer": {"id": -1}}',
        "[" * 100_000,
        '{"a":' * 5000,
        "x" * (MAX_FRAME + 1),
        '"\ud800"',
    ],
)
def test_text_that_is_no_request_is_refused(text):
    with pytest.raises(DecodeError):
        decode_request(request_from_text(text))


@given(st.binary(max_size=200))
def test_any_frame_is_decoded_or_refused(data):
    with contextlib.suppress(DecodeError):
        assert decode_request(data).WhichOneof("message")


def test_a_frame_above_the_limit_is_refused_unread():
    with pytest.raises(DecodeError, match="above the limit"):
        decode_request(bytes(MAX_FRAME + 1))


def test_a_session_counts_what_it_cannot_read():
    session = SignalSession(Offers(15.0), Proposals(15.0), 0.0)
    with pytest.raises(DecodeError):
        session.receive(b"\xff", 1.0)
    assert session.bad_frames == 1
    request, replies = session.receive(rtc.SignalRequest(leave=rtc.LeaveRequest()).SerializeToString(), 2.0)
    assert request.HasField("leave")
    assert replies == []


def test_a_pace_lets_bursts_through_and_slows_floods_down():
    pace = Pace(100.0)
    assert [pace.take(100, 100.0) for _ in range(200)] == [0.0] * 200
    assert pace.take(100, 100.0) == pytest.approx(1 / 50)
    assert pace.take(100, 160.0) == 0.0
    assert pace.take(6 << 20, 160.0) == pytest.approx(2.0, abs=0.01)
    assert pace.take(1, 150.0) > 0, "time that seems to go back gives nothing"


def test_offers_wait_for_each_other_and_have_a_watchdog():
    offers = Offers(15.0)
    first, second, third = (Offer(number, "v=0") for number in (1, 2, 3))
    assert offers.add(first, 0.0) is first
    assert offers.add(second, 1.0) is None
    assert offers.add(third, 2.0) is None
    assert offers.deadline == 15.0
    assert offers.finish(2, 3.0) == (False, None)
    assert offers.finish(1, 3.0) == (True, third)
    assert offers.deadline == 18.0
    offers.clear()
    assert offers.deadline == inf
    assert offers.finish(3, 19.0) == (False, None)
