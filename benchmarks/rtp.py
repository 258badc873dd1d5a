"""RTP with four header extensions, against aiortc's: parsing, and rewriting as a forwarder does.

``parse-ext4`` parses a packet and reads the four values. ``rewrite-ext4`` makes of a received packet what one
subscriber gets: SSRC, payload type, sequence number, timestamp, mid, transport-wide number and send time are replaced.
Ours is the whole sending side of the RTP session, with its history and counters; the peer's is its serializer alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.clock import microseconds_each
from benchmarks.rounds import Benchmark, Case

_COUNT = 2000
_IDS = {"mid": 4, "abs_send_time": 2, "transport_sequence_number": 3, "audio_level": 1}
_URIS = {
    4: "urn:ietf:params:rtp-hdrext:sdes:mid",
    2: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    3: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    1: "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
}


def _packets() -> list[bytes]:
    elements = b"\x40\x30" + b"\x22\x01\x02\x03" + b"\x31\x00\x07" + b"\x10\x9f" + b"\x00"
    extension = b"\xbe\xde\x00\x03" + elements.ljust(12, b"\x00")
    return [
        b"\x90\x60" + n.to_bytes(2) + (n * 3000).to_bytes(4) + b"\x12\x34\x56\x78" + extension + bytes(1084)
        for n in range(_COUNT)
    ]


def _our_parse() -> float:
    from pystack.rtp import HeaderExtensionMap, RtpPacket  # noqa: PLC0415

    names = HeaderExtensionMap(_URIS)
    packets = _packets()
    uris = list(_URIS.values())

    def work() -> int:
        for data in packets:
            packet = RtpPacket.parse(data, 1.0, names)
            for uri in uris:
                names.get(packet, uri)
        return _COUNT

    return microseconds_each(work)


def _our_rewrite() -> float:
    from pystack.base import SeededRandomness  # noqa: PLC0415
    from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpPacket, RtpSession, RtpSessionOptions  # noqa: PLC0415

    source = HeaderExtensionMap(_URIS)
    target = HeaderExtensionMap({5: _URIS[4], 6: _URIS[2], 7: _URIS[3], 8: _URIS[1]})
    packets = [RtpPacket.parse(data, 1.0, source) for data in _packets()]

    def work() -> int:
        session = RtpSession(RtpSessionOptions(), SeededRandomness(1))
        codec = CodecSpec(payload_type=100, name="VP8", clock_rate=90000, rtcp_fb=("nack", "transport-cc"))
        session.set_sender(1, mid="1", kind="video", ssrc=99, codecs=[codec], extensions=target)
        send = session.send_parts
        for number, packet in enumerate(packets):
            header, payload, _, _ = send(1, packet, 1.0, payload_type=100, sequence_number=number, timestamp=number)
            header + payload
        return _COUNT

    return microseconds_each(work)


def _peer_map(offset: int) -> Any:
    from aiortc import RTCRtpParameters  # noqa: PLC0415
    from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters  # noqa: PLC0415
    from aiortc.rtp import HeaderExtensionsMap  # noqa: PLC0415

    names = HeaderExtensionsMap()
    names.configure(
        RTCRtpParameters(
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=number + offset, uri=uri) for number, uri in _URIS.items()
            ]
        )
    )
    return names


def _peer_parse() -> float:
    from aiortc.rtp import RtpPacket  # noqa: PLC0415

    names = _peer_map(0)
    packets = _packets()

    def work() -> int:
        for data in packets:
            values = RtpPacket.parse(data, names).extensions
            assert values.mid == "0"
        return _COUNT

    return microseconds_each(work)


def _peer_rewrite() -> float:
    from aiortc.rtp import RtpPacket  # noqa: PLC0415

    source, target = _peer_map(0), _peer_map(4)
    packets = [RtpPacket.parse(data, source) for data in _packets()]

    def work() -> int:
        for number, packet in enumerate(packets):
            packet.ssrc = 99
            packet.payload_type = 100
            packet.sequence_number = packet.timestamp = number
            values = packet.extensions
            values.mid = "1"
            values.transport_sequence_number = number
            values.abs_send_time = number
            packet.serialize(target)
        return _COUNT

    return microseconds_each(work)


def _case(name: str, ours: Callable[[], float], peer: Callable[[], float]) -> Case:
    return Case(name=name, unit="CPU-us/packet", ours=ours, peer=peer, peer_name="aiortc", peer_package="aiortc")


BENCHMARK = Benchmark(
    name="rtp",
    title="RTP with four header extensions, CPU per packet: how much less than aiortc",
    packages=("aiortc",),
    cases=[_case("parse-ext4", _our_parse, _peer_parse), _case("rewrite-ext4", _our_rewrite, _peer_rewrite)],
)
