"""RTP with four header extensions, against aiortc's: parsing, and rewriting as a forwarder does.

``parse-ext4`` parses a packet and reads the four values: ours raw, as a forwarder wants them, the peer's decoded, for
it has no other way. ``rewrite-ext4`` parses a packet and makes the bytes that one subscriber gets: SSRC, payload type,
sequence number, timestamp, mid, transport-wide number and send time are replaced, the audio level is kept under
another id. ``send-ext4`` is the same through the whole sending side of our RTP session, with its numbers,
counters and history; the peer's figure is that of its packets alone there, too: it has no such thing without a task per
sender. ``receive-audio`` and ``receive-video`` are the whole receiving side of our session, transport-wide feedback
included, one and ten packets to a timestamp; of the peer, what its receiver does with a packet before it decodes:
parsing, statistics and, for video, its list of missing packets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

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


def _packets(per_frame: int = 1) -> list[bytes]:
    elements = b"\x40\x30" + b"\x22\x01\x02\x03" + b"\x31\x00\x07" + b"\x10\x9f" + b"\x00"
    extension = b"\xbe\xde\x00\x03" + elements.ljust(12, b"\x00")
    return [
        b"\x90\x60"
        + n.to_bytes(2)
        + (n // per_frame * 3000).to_bytes(4)
        + b"\x12\x34\x56\x78"
        + extension
        + bytes(1084)
        for n in range(_COUNT)
    ]


def _our_parse() -> float:
    from pystack.rtp import ExtensionReader, HeaderExtensionMap, RtpPacket  # noqa: PLC0415

    names = HeaderExtensionMap(_URIS)
    packets = _packets()
    read = ExtensionReader(names, *_URIS.values()).read

    def work() -> int:
        for data in packets:
            mid, _, _, _ = read(RtpPacket.parse(data, 1.0, names))
            assert mid == b"0"
        return _COUNT

    return microseconds_each(work)


def _our_rewrite() -> float:
    from pystack.rtp import HeaderExtensionMap, RtpPacket  # noqa: PLC0415
    from pystack.rtp.streams.rewriter import HeaderRewriter  # noqa: PLC0415
    from pystack.rtp.streams.writer import ExtensionWriter, TransportSequence  # noqa: PLC0415

    source = HeaderExtensionMap(_URIS)
    target = HeaderExtensionMap({5: _URIS[4], 6: _URIS[2], 7: _URIS[3], 8: _URIS[1]})
    packets = _packets()
    rewrite = HeaderRewriter(99, target, ExtensionWriter(target, "1", TransportSequence(0), 0.0)).rewrite

    def work() -> int:
        for number, data in enumerate(packets):
            packet = RtpPacket.parse(data, 1.0, source)
            header, payload = rewrite(packet, 100, number, number, packet.payload, 1.0)
            header + payload
        return _COUNT

    return microseconds_each(work)


def _our_send() -> float:
    from pystack.base import SeededRandomness  # noqa: PLC0415
    from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpPacket, RtpSession, RtpSessionOptions  # noqa: PLC0415

    source = HeaderExtensionMap(_URIS)
    target = HeaderExtensionMap({5: _URIS[4], 6: _URIS[2], 7: _URIS[3], 8: _URIS[1]})
    packets = _packets()

    def work() -> int:
        session = RtpSession(RtpSessionOptions(), SeededRandomness(1))
        codec = CodecSpec(payload_type=100, name="VP8", clock_rate=90000, rtcp_fb=("nack", "transport-cc"))
        session.set_sender(1, mid="1", kind="video", ssrc=99, codecs=[codec], extensions=target)
        send = session.send_parts
        for number, data in enumerate(packets):
            packet = RtpPacket.parse(data, 1.0, source)
            parts = send(1, packet, 1.0, payload_type=100, sequence_number=number, timestamp=number)
            assert parts is not None
            parts[0] + parts[1]
        return _COUNT

    return microseconds_each(work)


def _receive(kind: Literal["audio", "video"], packets_per_frame: int) -> float:
    from pystack.base import SeededRandomness  # noqa: PLC0415
    from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpSession, RtpSessionOptions  # noqa: PLC0415

    packets = _packets(packets_per_frame)
    feedback = ("nack", "transport-cc") if kind == "video" else ("transport-cc",)
    codec = CodecSpec(payload_type=96, name="any", clock_rate=90000, rtcp_fb=feedback)

    def work() -> int:
        session = RtpSession(RtpSessionOptions(), SeededRandomness(1))
        session.set_receiver(1, mid="0", kind=kind, codecs=[codec], extensions=HeaderExtensionMap(_URIS))
        receive, take = session.receive_rtp, session.take_packets
        for number, data in enumerate(packets):
            receive(data, number / 500)
            assert take()
        return _COUNT

    return microseconds_each(work)


def _our_receive_audio() -> float:
    return _receive("audio", 1)


def _our_receive_video() -> float:
    return _receive("video", 10)


def _peer_receive(*, nack: bool, packets_per_frame: int) -> float:
    from aiortc.rtcrtpreceiver import NackGenerator, StreamStatistics  # noqa: PLC0415
    from aiortc.rtp import RtpPacket  # noqa: PLC0415

    names = _peer_map(0)
    packets = _packets(packets_per_frame)

    def work() -> int:
        statistics = StreamStatistics(90000)
        missing = NackGenerator()
        for data in packets:
            packet = RtpPacket.parse(data, names)
            statistics.add(packet)
            if nack:
                missing.add(packet)
        return _COUNT

    return microseconds_each(work)


def _peer_receive_audio() -> float:
    return _peer_receive(nack=False, packets_per_frame=1)


def _peer_receive_video() -> float:
    return _peer_receive(nack=True, packets_per_frame=10)


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
    packets = _packets()

    def work() -> int:
        for number, data in enumerate(packets):
            packet = RtpPacket.parse(data, source)
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


def _case(name: str, ours: Callable[[], float], peer: Callable[[], float], target: float | None = 3.0) -> Case:
    return Case(
        name=name,
        unit="CPU-us/packet",
        ours=ours,
        peer=peer,
        peer_name="aiortc",
        peer_package="aiortc",
        target=target,
    )


BENCHMARK = Benchmark(
    name="rtp",
    title="RTP with four header extensions, CPU per packet: how much less than aiortc",
    packages=("aiortc",),
    cases=[
        _case("parse-ext4", _our_parse, _peer_parse),
        _case("rewrite-ext4", _our_rewrite, _peer_rewrite),
        _case("send-ext4", _our_send, _peer_rewrite, None),
        _case("receive-audio", _our_receive_audio, _peer_receive_audio, None),
        _case("receive-video", _our_receive_video, _peer_receive_video, None),
    ],
)
