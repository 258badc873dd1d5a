"""Every number of ``get_stats()`` is traced to what was done: a number without a row here fails.

One scene on a simulated network, in which each thing that can be counted happens a known number of times; beside the
counters of the product a wire-tap on both links and the applications' own ears count along.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from pystack.dtls import Certificate
from pystack.peer import Configuration, PeerConnection, StatsReport, connect
from pystack.peer.media import VIDEO_CODECS
from pystack.rtp import Fir, Nack, Pli, ReceiverReport, RtcpPacket, RtpPacket, SenderReport
from pystack.sctp import AssociationOptions
from pystack.sctp.rx.window import ITEM_COST
from pystack.session import SessionOptions
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import peer_pair

DELAY = 0.02
PACKETS, SIZE = 40, 100
REPAIRED, GONE, LATE = 10, 20, 25
"""Sequence numbers: repaired by a retransmission; never repaired; repaired before the packet itself comes after all."""
TAG = 16
"""Bytes that AES-GCM adds to a packet."""
VP8 = VIDEO_CODECS[0]
VP9 = attrs.evolve(next(codec for codec in VIDEO_CODECS if codec.name == "VP9"), rtcp_fb=("ccm fir",), rtx=False)
CONFIGURATION = Configuration(
    certificate=Certificate.generate(1.7e9),
    video_codecs=(VP8, VP9),
    session=SessionOptions(association=AssociationOptions(sack_every=1)),
)


class Tap:
    """Listens on the link of one side, and loses what it is told to lose."""

    def __init__(self, connection: PeerConnection) -> None:
        self.datagrams: list[bytes] = []
        self.lose: Callable[[bytes], bool] = lambda data: False
        self.carrier = connection._ice._path._carrier  # type: ignore[attr-defined]
        self.carrier.link.lose = self._hear

    def _hear(self, _: int, data: bytes) -> bool:
        if data[:1] == b"\x00":  # a check of ICE
            return False
        self.datagrams.append(data)
        return self.lose(data)

    def rtp(self, ssrc: int) -> list[bytes]:
        return [each for each in self.datagrams if is_rtp(each) and int.from_bytes(each[8:12], "big") == ssrc]

    @property
    def bytes(self) -> int:
        return sum(map(len, self.datagrams))


def is_rtp(data: bytes) -> bool:
    return 128 <= data[0] <= 191 and not 192 <= data[1] <= 223


def find(report: StatsReport, kind: str, **values: object) -> Any:
    found = [
        each
        for each in report.values()
        if each["type"] == kind and all(each.get(name) == value for name, value in values.items())
    ]
    assert len(found) == 1, (kind, values, found)
    return found[0]


async def play() -> SimpleNamespace:
    async with peer_pair(MemoryNetwork(LinkOptions(delay=DELAY)), CONFIGURATION) as (one, other):
        taps = Tap(one), Tap(other)
        video = one.add_transceiver("video", direction="sendonly", track_id="cam")
        plain = one.add_transceiver("video", direction="sendonly", track_id="plain")
        plain.set_codec_preferences([VP9])
        chat, brief = one.create_data_channel("chat"), one.create_data_channel("brief")
        await connect(one, other)
        await brief.wait_open(timeout=5)
        await brief.close()
        there = await other.next_data_channel(timeout=5)
        receiver = (await other.next_track(timeout=5)).receiver
        fired = (await other.next_track(timeout=5)).receiver
        said: list[RtcpPacket] = []
        heard: list[RtcpPacket] = []
        arrived: list[RtpPacket] = []
        video.sender.rtcp.on_packet = said.append
        receiver.rtcp.on_packet = heard.append
        receiver.on_packet = lambda packet, rid: arrived.append(packet)

        for text in ("a", "bb"):
            await chat.write(text)
        for text in ("ccc", "dddd", "eeeee"):
            await there.write(text)
        await asyncio.sleep(1)
        await chat.write(bytes(500))  # nobody reads it: it lies in the peer's window
        for _ in range(3):
            await chat.read(timeout=1)
        assert [await there.read(timeout=1) for _ in range(2)] == ["a", "bb"]

        kept: list[bytes] = []

        def lose(data: bytes) -> bool:
            if not is_rtp(data):
                return False
            if data[1] & 0x7F == VP8.rtx_payload_type:
                return len(taps[0].rtp(video.sender.rtx_ssrc)) not in {1, 5}  # those of REPAIRED and LATE come through
            number = int.from_bytes(data[2:4], "big")
            if number == LATE:
                kept.append(data)
            return number in {REPAIRED, GONE, LATE}

        taps[0].lose = lose
        for number in range(PACKETS):
            packet = RtpPacket(
                payload_type=VP8.payload_type or 0,
                sequence_number=number,
                timestamp=9000 * number,
                payload=bytes([number]) * SIZE,
            )
            assert video.sender.write(packet)
            assert not video.sender.write(packet)  # a number goes out once
            packet.payload_type = VP9.payload_type or 0
            assert plain.sender.write(packet)
            await asyncio.sleep(0.1)
        filming = other.get_stats()
        taps[0].lose = lambda data: False
        taps[0].carrier.put(kept[0])
        taps[0].datagrams.pop()  # the tap's own doing
        receiver.request_key_frame()
        fired.request_key_frame()
        await asyncio.sleep(3)
        last_heard = asyncio.get_running_loop().time()

        middle = one.get_stats(), other.get_stats()
        sizes = [(len(tap.datagrams), tap.bytes) for tap in taps]
        other._ice._path._carrier.link.black_hole()  # type: ignore[attr-defined]
        count = len(taps[0].datagrams)
        for _ in range(20):
            await chat.write(bytes(1000))
        await asyncio.sleep(0.05)
        stuck = one.get_stats()
        return SimpleNamespace(
            one=middle[0],
            other=middle[1],
            stuck=stuck,
            filming=filming,
            departed=len(taps[0].datagrams) - count,
            taps=taps,
            sizes=sizes,
            video=video.sender,
            said=said,
            heard=heard,
            arrived=arrived,
            last_heard=last_heard,
        )


async def lose_one_message() -> StatsReport:
    async with peer_pair(MemoryNetwork(LinkOptions(delay=DELAY)), CONFIGURATION) as (one, other):
        tap = Tap(one)
        chat = one.create_data_channel("chat")
        await connect(one, other)
        await chat.wait_open(timeout=5)
        await asyncio.sleep(1)
        count = len(tap.datagrams)
        tap.lose = lambda data: len(tap.datagrams) == count + 1
        await chat.write("once more")
        assert await (await other.next_data_channel(timeout=5)).read(timeout=5) == "once more"
        return one.get_stats()


@cache
def scene() -> SimpleNamespace:
    found = run(play())
    found.lossy = run(lose_one_message())
    found.outbound = find(found.one, "outbound-rtp", ssrc=found.video.ssrc)
    found.inbound = find(found.other, "inbound-rtp", ssrc=found.video.ssrc)
    found.remote_inbound = find(found.one, "remote-inbound-rtp", ssrc=found.video.ssrc)
    found.remote_outbound = find(found.other, "remote-outbound-rtp", ssrc=found.video.ssrc)
    found.plain_out = next(
        each for each in found.one.values() if each["type"] == "outbound-rtp" and each["ssrc"] != found.video.ssrc
    )
    found.plain_in = next(
        each for each in found.other.values() if each["type"] == "inbound-rtp" and each["ssrc"] != found.video.ssrc
    )
    found.chat = find(found.one, "data-channel", label="chat")
    found.there = find(found.other, "data-channel", label="chat")
    return found


def blocks(s: SimpleNamespace) -> list[Any]:
    return [
        block
        for packet in s.said
        if isinstance(packet, (ReceiverReport, SenderReport))
        for block in packet.reports
        if block.ssrc == s.video.ssrc
    ]


def measured(s: SimpleNamespace) -> int:
    return sum(block.last_sender_report != 0 for block in blocks(s))


def sender_reports(s: SimpleNamespace) -> list[SenderReport]:
    return [packet for packet in s.heard if isinstance(packet, SenderReport)]


def kinds(packets: list[RtcpPacket], kind: type) -> int:
    return sum(isinstance(packet, kind) for packet in packets)


def near(value: float, within: float = 1e-9) -> Any:
    return pytest.approx(value, abs=within)


def frames_per_second(s: SimpleNamespace) -> float:
    return near(1 / (s.arrived[1].arrival - s.arrived[0].arrival), 1)


def header_bytes(datagrams: list[bytes], payload: int) -> int:
    return sum(map(len, datagrams)) - len(datagrams) * (payload + TAG)


RETRANSMITTED = 1 + 3 + 1
"""REPAIRED once, GONE as often as anything is sent again at most, LATE once."""

Row = Callable[[SimpleNamespace], tuple[Any, Any]]
ROWS: dict[tuple[str, str], Row] = {
    ("codec", "payloadType"): lambda s: (s.one[s.outbound["codecId"]]["payloadType"], VP8.payload_type),
    ("codec", "clockRate"): lambda s: (s.one[s.outbound["codecId"]]["clockRate"], 90000),
    # What one side sends
    ("outbound-rtp", "ssrc"): lambda s: (s.outbound["ssrc"], s.video.ssrc),
    ("outbound-rtp", "rtxSsrc"): lambda s: (s.outbound["rtxSsrc"], s.video.rtx_ssrc),
    ("outbound-rtp", "packetsSent"): lambda s: (
        s.outbound["packetsSent"],
        len(s.taps[0].rtp(s.video.ssrc)) + len(s.taps[0].rtp(s.video.rtx_ssrc)),
    ),
    ("outbound-rtp", "bytesSent"): lambda s: (s.outbound["bytesSent"], (PACKETS + RETRANSMITTED) * SIZE),
    ("outbound-rtp", "headerBytesSent"): lambda s: (
        s.outbound["headerBytesSent"],
        header_bytes(s.taps[0].rtp(s.video.ssrc) + s.taps[0].rtp(s.video.rtx_ssrc), SIZE),
    ),
    ("outbound-rtp", "retransmittedPacketsSent"): lambda s: (
        s.outbound["retransmittedPacketsSent"],
        len(s.taps[0].rtp(s.video.rtx_ssrc)),
    ),
    ("outbound-rtp", "retransmittedBytesSent"): lambda s: (s.outbound["retransmittedBytesSent"], RETRANSMITTED * SIZE),
    ("outbound-rtp", "packetsRefused"): lambda s: (s.outbound["packetsRefused"], PACKETS),
    ("outbound-rtp", "nackCount"): lambda s: (s.outbound["nackCount"], kinds(s.said, Nack)),
    ("outbound-rtp", "pliCount"): lambda s: (
        (s.outbound["pliCount"], s.plain_out["pliCount"], kinds(s.said, Pli)),
        (1, 0, 1),
    ),
    ("outbound-rtp", "firCount"): lambda s: (
        (s.outbound["firCount"], s.plain_out["firCount"], kinds(s.said, Fir)),
        (0, 1, 0),
    ),
    # what the other makes of it
    ("inbound-rtp", "ssrc"): lambda s: (s.inbound["ssrc"], s.video.ssrc),
    ("inbound-rtp", "packetsReceived"): lambda s: (s.inbound["packetsReceived"], len(s.arrived)),
    ("inbound-rtp", "packetsLost"): lambda s: ((s.inbound["packetsLost"], s.plain_in["packetsLost"]), (1, 3)),
    ("inbound-rtp", "packetsDuplicated"): lambda s: (s.inbound["packetsDuplicated"], 1),
    ("inbound-rtp", "jitter"): lambda s: (s.inbound["jitter"], near(0.0)),
    ("inbound-rtp", "framesPerSecond"): lambda s: (
        (find(s.filming, "inbound-rtp", ssrc=s.video.ssrc)["framesPerSecond"], s.inbound["framesPerSecond"]),
        (frames_per_second(s), 0),
    ),
    ("inbound-rtp", "bytesReceived"): lambda s: (s.inbound["bytesReceived"], (PACKETS - 1) * SIZE),
    ("inbound-rtp", "headerBytesReceived"): lambda s: (
        s.inbound["headerBytesReceived"],
        sum(len(packet.serialize_header()) for packet in s.arrived),
    ),
    ("inbound-rtp", "lastPacketReceivedTimestamp"): lambda s: (
        s.inbound["timestamp"] - s.inbound["lastPacketReceivedTimestamp"],
        near((s.last_heard - s.arrived[-1].arrival) * 1000, 1),
    ),
    ("inbound-rtp", "retransmittedPacketsReceived"): lambda s: (s.inbound["retransmittedPacketsReceived"], 2),
    ("inbound-rtp", "retransmittedBytesReceived"): lambda s: (s.inbound["retransmittedBytesReceived"], 2 * SIZE),
    ("inbound-rtp", "nackCount"): lambda s: (s.inbound["nackCount"], kinds(s.said, Nack)),
    ("inbound-rtp", "pliCount"): lambda s: ((s.inbound["pliCount"], s.plain_in["pliCount"]), (1, 0)),
    ("inbound-rtp", "firCount"): lambda s: ((s.inbound["firCount"], s.plain_in["firCount"]), (0, 1)),
    # what each reports to the other
    ("remote-inbound-rtp", "ssrc"): lambda s: (s.remote_inbound["ssrc"], s.video.ssrc),
    ("remote-inbound-rtp", "packetsLost"): lambda s: (s.remote_inbound["packetsLost"], blocks(s)[-1].cumulative_lost),
    ("remote-inbound-rtp", "fractionLost"): lambda s: (
        s.remote_inbound["fractionLost"],
        blocks(s)[-1].fraction_lost / 256,
    ),
    ("remote-inbound-rtp", "jitter"): lambda s: (s.remote_inbound["jitter"], blocks(s)[-1].jitter / 90000),
    ("remote-inbound-rtp", "roundTripTime"): lambda s: (s.remote_inbound["roundTripTime"], near(2 * DELAY, 1e-3)),
    ("remote-inbound-rtp", "totalRoundTripTime"): lambda s: (
        s.remote_inbound["totalRoundTripTime"],
        near(2 * DELAY * measured(s), 1e-2),
    ),
    ("remote-inbound-rtp", "roundTripTimeMeasurements"): lambda s: (
        s.remote_inbound["roundTripTimeMeasurements"],
        measured(s),
    ),
    ("remote-outbound-rtp", "ssrc"): lambda s: (s.remote_outbound["ssrc"], s.video.ssrc),
    ("remote-outbound-rtp", "packetsSent"): lambda s: (s.remote_outbound["packetsSent"], PACKETS),
    ("remote-outbound-rtp", "bytesSent"): lambda s: (s.remote_outbound["bytesSent"], PACKETS * SIZE),
    ("remote-outbound-rtp", "reportsSent"): lambda s: (s.remote_outbound["reportsSent"], len(sender_reports(s))),
    ("remote-outbound-rtp", "remoteTimestamp"): lambda s: (
        s.remote_outbound["timestamp"] - s.remote_outbound["remoteTimestamp"],
        near(DELAY * 1000, 1),
    ),
    # Channels: two messages one way and a third that lies unread, three the other way; one channel came and went
    ("peer-connection", "dataChannelsOpened"): lambda s: (find(s.one, "peer-connection")["dataChannelsOpened"], 2),
    ("peer-connection", "dataChannelsClosed"): lambda s: (find(s.one, "peer-connection")["dataChannelsClosed"], 1),
    ("data-channel", "dataChannelIdentifier"): lambda s: (
        s.chat["dataChannelIdentifier"],
        s.there["dataChannelIdentifier"],
    ),
    ("data-channel", "messagesSent"): lambda s: ((s.chat["messagesSent"], s.there["messagesSent"]), (3, 3)),
    ("data-channel", "bytesSent"): lambda s: ((s.chat["bytesSent"], s.there["bytesSent"]), (503, 12)),
    ("data-channel", "messagesReceived"): lambda s: ((s.chat["messagesReceived"], s.there["messagesReceived"]), (3, 3)),
    ("data-channel", "bytesReceived"): lambda s: ((s.chat["bytesReceived"], s.there["bytesReceived"]), (12, 503)),
    ("data-channel", "bufferedAmount"): lambda s: (
        (s.chat["bufferedAmount"], find(s.stuck, "data-channel", label="chat")["bufferedAmount"]),
        (0, 20_000 - 1000 * s.departed),
    ),
    # The association: then 20 messages of 1000 bytes into a hole
    ("sctp-transport", "congestionWindow"): lambda s: (s.one["S"]["congestionWindow"], 10 * 1191),
    ("sctp-transport", "receiverWindow"): lambda s: (s.one["S"]["receiverWindow"], (1 << 20) - 500 - ITEM_COST),
    ("sctp-transport", "smoothedRoundTripTime"): lambda s: (s.one["S"]["smoothedRoundTripTime"], near(2 * DELAY, 1e-3)),
    ("sctp-transport", "unackData"): lambda s: ((s.one["S"]["unackData"], s.stuck["S"]["unackData"]), (0, s.departed)),
    ("sctp-transport", "bytesInFlight"): lambda s: (
        (s.one["S"]["bytesInFlight"], s.stuck["S"]["bytesInFlight"]),
        (0, 1000 * s.departed),
    ),
    ("sctp-transport", "bufferedAmount"): lambda s: (s.stuck["S"]["bufferedAmount"], 20_000 - 1000 * s.departed),
    ("sctp-transport", "retransmits"): lambda s: (
        (s.one["S"]["retransmits"], s.lossy["S"]["retransmits"]),
        (0, 1),
    ),
    # The path: what the wire-taps saw; one datagram of video was put on the wire again by the scene itself
    ("transport", "packetsSent"): lambda s: ((s.one["T"]["packetsSent"], s.other["T"]["packetsSent"]), tap_sums(s, 0)),
    ("transport", "bytesSent"): lambda s: ((s.one["T"]["bytesSent"], s.other["T"]["bytesSent"]), tap_sums(s, 1)),
    ("transport", "packetsReceived"): lambda s: (
        s.one["T"]["packetsReceived"],
        s.other["T"]["packetsSent"],
    ),
    ("transport", "bytesReceived"): lambda s: (s.one["T"]["bytesReceived"], s.other["T"]["bytesSent"]),
    ("transport", "selectedCandidatePairChanges"): lambda s: (s.one["T"]["selectedCandidatePairChanges"], 1),
    ("transport", "dropped"): lambda s: ((s.one["T"]["dropped"], s.other["T"]["dropped"]), ({}, {"rtp: duplicate": 1})),
    # All of it went over one pair; a simulated one asks nobody, the numbers of real ones are in tests/live and interop
    **{
        ("candidate-pair", name): lambda s, name=name: (s.one["CP"][name], s.one["T"][name])
        for name in ("packetsSent", "packetsReceived", "bytesSent", "bytesReceived")
    },
    **{
        ("candidate-pair", name): lambda s, name=name: (s.one["CP"][name], 0)
        for name in ("requestsSent", "consentRequestsSent", "responsesReceived", "requestsReceived", "responsesSent")
    },
    ("candidate-pair", "totalRoundTripTime"): lambda s: (s.one["CP"]["totalRoundTripTime"], 0.0),
    ("local-candidate", "port"): lambda s: (find(s.one, "local-candidate")["port"], 5000),
    ("remote-candidate", "port"): lambda s: (find(s.one, "remote-candidate")["port"], 5000),
}
"""``(type, member)`` → what get_stats says, and what was done."""


def tap_sums(s: SimpleNamespace, which: int) -> tuple[int, int]:
    return s.sizes[0][which], s.sizes[1][which]


def numbers(report: StatsReport) -> Iterator[tuple[str, str]]:
    for entry in report.values():
        for member, value in entry.items():
            if member == "timestamp":
                continue
            if isinstance(value, dict) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
                yield entry["type"], member


@pytest.mark.parametrize("row", sorted(ROWS), ids=".".join)
def test_the_number_is_what_was_done(row: tuple[str, str]) -> None:
    said, done = ROWS[row](scene())
    assert said == done


def test_the_scene_is_as_lively_as_it_says() -> None:
    s = scene()
    assert s.departed > 5
    assert measured(s) >= 2
    assert len(sender_reports(s)) >= 3
    assert blocks(s)[-1].cumulative_lost == 1
    assert len(s.arrived) == PACKETS - 1
    assert kinds(s.said, Nack) >= 3


def test_every_number_has_a_row_and_every_row_a_number() -> None:
    s = scene()
    found = {each for report in (s.one, s.other, s.stuck, s.lossy) for each in numbers(report)}
    assert found - ROWS.keys() == set(), "numbers that nobody traced: add a row for each"
    assert ROWS.keys() - found == set(), "rows whose number is gone"


def test_a_new_number_would_be_noticed() -> None:
    report: Any = {"X": {"type": "transport", "id": "X", "timestamp": 1.0, "newNumber": 0, "text": "", "flag": True}}
    assert set(numbers(report)) - ROWS.keys() == {("transport", "newNumber")}


def test_reports_are_ready_for_json_and_refer_to_what_is_there() -> None:
    s = scene()
    for report in (s.one, s.other, s.stuck):
        assert json.loads(json.dumps(report)) == report
        for name, entry in report.items():
            assert entry["id"] == name
            for member, value in entry.items():
                if member.endswith("Id") and member != "id":
                    assert value in report, (name, member)
            if entry["type"] not in {"remote-inbound-rtp", "remote-outbound-rtp"}:
                assert entry["timestamp"] == report["P"]["timestamp"]


def test_texts_say_what_was_agreed() -> None:
    s = scene()
    transport, there = s.one["T"], s.other["T"]
    assert {transport["dtlsRole"], there["dtlsRole"]} == {"client", "server"}
    assert (transport["iceRole"], there["iceRole"]) == ("controlling", "controlled")
    assert transport["iceState"] == transport["dtlsState"] == "connected"
    assert transport["tlsVersion"] == "FEFD"
    assert transport["dtlsCipher"].startswith("TLS_ECDHE_ECDSA_WITH_AES_")
    assert transport["srtpCipher"] in {"SRTP_AEAD_AES_256_GCM", "SRTP_AEAD_AES_128_GCM"}
    certificate = s.one[transport["localCertificateId"]]
    assert certificate["fingerprint"] == CONFIGURATION.certificate.fingerprint()  # type: ignore[union-attr]
    assert s.other[there["remoteCertificateId"]]["base64Certificate"] == certificate["base64Certificate"]
    assert s.one[s.outbound["codecId"]]["mimeType"] == "video/VP8"
    assert s.inbound["trackIdentifier"] == "cam"
    assert s.outbound["active"] is True
    assert s.chat["state"] == "open"


def test_before_anything_happened_nothing_is_invented() -> None:
    async def main() -> StatsReport:
        connection = PeerConnection(Configuration(mux=MemoryNetwork()))
        report = connection.get_stats()
        connection.abort()
        assert connection.get_stats()["T"]["dtlsState"] in {"new", "closed"}  # type: ignore[typeddict-item]
        return report

    report = run(main())
    assert {entry["type"] for entry in report.values()} == {
        "peer-connection",
        "transport",
        "sctp-transport",
        "certificate",
    }
    assert report["T"]["iceRole"] == "unknown"  # type: ignore[typeddict-item]
    assert "selectedCandidatePairId" not in report["T"]
