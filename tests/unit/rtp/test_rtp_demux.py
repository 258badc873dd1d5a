"""To whom packets belong: mid, rid, SSRC, payload type; bounded against floods."""

import pytest

from pystack.rtp import (
    AUDIO_LEVEL,
    MID,
    REPAIRED_RID,
    RID,
    TRANSPORT_SEQUENCE,
    CodecSpec,
    HeaderExtensionMap,
    RtpPacket,
)
from pystack.rtp.extensions import write
from pystack.rtp.streams.demux import Demux, Route

OPUS = CodecSpec(payload_type=111, name="opus", clock_rate=48000)
VP8 = CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("transport-cc",), rtx_payload_type=97)
H264 = CodecSpec(payload_type=102, name="H264", clock_rate=90000)
RTX = CodecSpec(payload_type=103, name="rtx", clock_rate=90000, fmtp={"apt": "102"})
FLEXFEC = CodecSpec(payload_type=49, name="flexfec-03", clock_rate=90000)
MAP = HeaderExtensionMap({4: MID, 10: RID, 11: REPAIRED_RID, 3: TRANSPORT_SEQUENCE, 1: AUDIO_LEVEL})


def make() -> Demux:
    demux = Demux()
    demux.obtain(1).configure("a", "audio", [OPUS], MAP, (), (), {})
    demux.obtain(2).configure("v", "video", [VP8, H264, RTX, FLEXFEC], MAP, (), (70,), {71: 70})
    demux.obtain(3).configure("s", "video", [VP8, H264, RTX], MAP, ("q", "h"), (), {})
    demux.changed()
    return demux


def packet(ssrc: int, payload_type: int, now: float = 0.0, **names: str) -> RtpPacket:
    ids = {"mid": 4, "rid": 10, "repaired": 11}
    profile, body = write([(ids[name], value.encode()) for name, value in names.items()])
    return RtpPacket(ssrc=ssrc, payload_type=payload_type, extension_profile=profile, extension=body, arrival=now)


def where(found: Route | str) -> tuple[int, str, bool] | str:
    return found if isinstance(found, str) else (found.receiver.receiver_id, found.rid, found.repair)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (packet(1, 111, mid="a"), (1, "", False)),
        (packet(1, 96, mid="v"), (2, "", False)),
        (packet(1, 97, mid="v"), (2, "", True)),
        (packet(1, 103, mid="v"), (2, "", True)),
        (packet(1, 96, mid="s", rid="h"), (3, "h", False)),
        (packet(1, 97, mid="s", repaired="q"), (3, "q", True)),
        (packet(1, 97, mid="s", rid="q"), (3, "q", True)),
        (packet(1, 96, mid="s", rid="x"), "unknown-rid"),
        (packet(1, 96, mid="s"), "unknown-rid"),
        (packet(1, 97, mid="s"), "unknown-rid"),
        (packet(1, 96, mid="gone"), "unknown-mid"),
        (packet(1, 55, mid="v"), "payload-type"),
        (packet(1, 49, mid="v"), "fec"),
        (packet(70, 96), (2, "", False)),
        (packet(71, 97), (2, "", True)),
        (packet(1, 111), (1, "", False)),
        (packet(1, 96), "unknown-ssrc"),
        (packet(1, 55), "unknown-ssrc"),
    ],
)
def test_where_a_packet_belongs(given: RtpPacket, expected: tuple[int, str, bool] | str) -> None:
    assert where(make().resolve(given)) == expected


def test_a_retransmission_without_rid_follows_the_signalled_media() -> None:
    demux = make()
    demux.obtain(3).configure("s", "video", [VP8], MAP, ("q", "h"), (), {81: 80})
    demux.changed()
    assert where(demux.resolve(packet(81, 97, mid="s"))) == "unknown-rid"
    demux.resolve(packet(80, 96, mid="s", rid="h"))
    assert where(demux.resolve(packet(81, 97))) == (3, "h", True)


def test_routes_are_latched_and_a_newcomer_replaces_its_predecessor() -> None:
    demux = make()
    for ssrc in range(1000):
        demux.resolve(packet(ssrc, 96, ssrc, mid="v"))
        demux.resolve(packet(10_000 + ssrc, 97, ssrc, mid="v"))
        demux.resolve(packet(20_000 + ssrc, 96, ssrc, mid="s", rid="qh"[ssrc % 2]))
        demux.resolve(packet(30_000 + ssrc, 55, ssrc, mid="v"))
        demux.resolve(packet(40_000 + ssrc, 96, ssrc, mid="none"))
    assert set(demux.routes) == {999, 10_999, 20_998, 20_999}


def test_a_flood_of_ssrcs_changes_a_stream_now_and_then_and_not_with_every_packet() -> None:
    demux = make()
    found = [where(demux.resolve(packet(ssrc, 96, 100 + ssrc / 1000, mid="v"))) for ssrc in range(3000)]
    assert found.count("ssrc-changes") >= 3000 - 10 - 3
    assert where(demux.resolve(packet(9000, 111, 102.0, mid="a"))) == (1, "", False)  # another stream pays nothing
    assert where(demux.resolve(packet(9001, 96, 120.0, mid="v"))) == (2, "", False)  # and later it is as it was


def test_removed_receivers_take_their_routes_along() -> None:
    demux = make()
    demux.resolve(packet(1, 96, mid="v"))
    demux.resolve(packet(2, 111, mid="a"))
    demux.remove(2)
    demux.remove(2)
    assert set(demux.routes) == {2}
    assert where(demux.resolve(packet(1, 96, mid="v"))) == "unknown-mid"


def test_layers_that_were_negotiated_away_are_forgotten() -> None:
    demux = make()
    demux.resolve(packet(1, 96, mid="s", rid="q"))
    demux.resolve(packet(2, 96, mid="s", rid="h"))
    demux.obtain(3).configure("s", "video", [VP8], MAP, ("h",), (), {})
    demux.changed()
    assert set(demux.routes) == {2}
    demux.forget(2)
    demux.forget(2)
    assert demux.routes == {}


def test_the_transport_wide_id_is_the_bundles() -> None:
    assert make().transport_id == 3
    assert Demux().transport_id == 0
