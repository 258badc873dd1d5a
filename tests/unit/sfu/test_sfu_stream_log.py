"""Row 37: what is odd about a stream is logged with the room, the participant, the track and the layer it is of."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from pystack.base import SeededRandomness
from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpPacket, RtpSession, RtpSessionOptions, StreamTold
from sfu.server.stream_log import StreamLog

VP8 = CodecSpec(name="VP8", payload_type=96, clock_rate=90000, rtcp_fb=("nack",), rtx_payload_type=97)
NAMES = HeaderExtensionMap(
    {5: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", 6: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"}
)
CONTEXT = {"room": "demo", "participant": "PA_1", "track": "TR_1"}


@pytest.fixture(autouse=True)
def every_level() -> Iterator[None]:
    """A server that ran in this process may have set a level."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


class Publisher:
    """Sends the layer ``h`` of a track and its retransmissions to a session of ours."""

    def __init__(self) -> None:
        self.session = RtpSession(RtpSessionOptions(), SeededRandomness(1))
        self.session.set_receiver(1, mid="0", kind="video", codecs=[VP8], extensions=NAMES, rids=["l", "h"])

    def media(self, number: int, now: float) -> None:
        self._send(7, 96, number, b"\x50h\x00\x00", b"frame", now)

    def retransmission(self, number: int, now: float) -> None:
        self._send(8, 97, number, b"\x60h\x00\x00", b"\x00\x01again", now)

    def _send(self, ssrc: int, pt: int, number: int, extension: bytes, payload: bytes, now: float) -> None:
        packet = RtpPacket(
            ssrc=ssrc,
            payload_type=pt,
            sequence_number=number,
            extension_profile=0xBEDE,
            extension=extension,
            payload=payload,
        )
        self.session.receive_rtp(packet.serialize(), now)

    def tell(self, log: StreamLog) -> list[Any]:
        with capture_logs() as records:
            for event in self.session.take_events():
                assert isinstance(event, StreamTold)
                log(event)
        return records


def stream_log(**context: str) -> StreamLog:
    return StreamLog(structlog.get_logger("sfu.room").bind(**context))


def test_ac37_1_both_statistics_of_a_stream_log_with_its_context() -> None:
    publisher = Publisher()
    publisher.media(1, 1.0)
    publisher.media(500, 1.1)
    for number in (1, *range(30_000, 30_005)):
        publisher.retransmission(number, 1.2)
    started, gap, again = publisher.tell(stream_log(**CONTEXT))
    for record in (started, gap, again):
        assert {key: record[key] for key in (*CONTEXT, "layer")} == {**CONTEXT, "layer": "h"}
    assert (started["event"], started["ssrc"], started["log_level"]) == ("stream started", 7, "info")
    assert (gap["event"], gap["retransmissions"], gap["before"], gap["after"]) == ("stream gap", False, 1, 500)
    assert gap["log_level"] == "warning"
    assert (again["event"], again["retransmissions"], again["ssrc"]) == ("stream restart", True, 8)


def test_ac37_2_another_log_is_used_by_both_from_the_next_record_on() -> None:
    publisher, log = Publisher(), stream_log(**CONTEXT)
    publisher.media(1, 1.0)
    publisher.retransmission(1, 1.0)
    publisher.tell(log)
    log.log = structlog.get_logger("sfu.room").bind(room="moved", participant="PA_2", track="TR_1")
    publisher.media(500, 3.0)
    for number in range(30_000, 30_005):
        publisher.retransmission(number, 3.0)
    records = publisher.tell(log)
    assert [(each["room"], each["participant"], each["retransmissions"]) for each in records] == [
        ("moved", "PA_2", False),
        ("moved", "PA_2", True),
    ]


def test_the_beginning_and_the_end_of_a_stream_are_logged() -> None:
    publisher, log = Publisher(), stream_log(**CONTEXT)
    publisher.media(1, 1.0)
    for number in range(30_000, 30_005):
        publisher.media(number, 1.0)
    publisher.session.receive_rtcp(bytes.fromhex("80c90001000000ff81cb000100000007"), 2.0)
    assert [each["event"] for each in publisher.tell(log)] == ["stream started", "stream restarted", "stream ended"]
