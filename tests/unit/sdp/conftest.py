"""A side to negotiate with, and the real descriptions in ``tests/vectors/sdp``."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from pystack.sdp.jsep import (
    CodecCapability,
    ExtensionCapability,
    LocalSession,
    LocalTransceiver,
    TransportParameters,
    apply_local,
    apply_remote,
    create_answer,
    create_offer,
    start,
)

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "sdp"
FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

OPUS = CodecCapability(
    name="opus",
    clock_rate=48000,
    channels=2,
    fmtp={"minptime": "10", "useinbandfec": "1"},
    rtcp_fb=("transport-cc", "nack"),
    payload_type=111,
)
VP8 = CodecCapability(name="VP8", clock_rate=90000, rtcp_fb=FEEDBACK, rtx=True, payload_type=96, rtx_payload_type=97)
H264 = CodecCapability(
    name="H264",
    clock_rate=90000,
    fmtp={"profile-level-id": "42e01f", "packetization-mode": "1", "level-asymmetry-allowed": "1"},
    rtcp_fb=FEEDBACK,
    rtx=True,
    payload_type=102,
)
VP9 = CodecCapability(
    name="VP9", clock_rate=90000, fmtp={"profile-id": "0"}, rtcp_fb=FEEDBACK, rtx=True, payload_type=98
)
AV1 = CodecCapability(name="AV1", clock_rate=90000, rtcp_fb=FEEDBACK, rtx=True, payload_type=45)
AUDIO_EXTENSIONS = (ExtensionCapability(uri=MID, preferred_id=4), ExtensionCapability(uri=LEVEL, preferred_id=1))
VIDEO_EXTENSIONS = (
    ExtensionCapability(uri=MID, preferred_id=4),
    ExtensionCapability(uri=RID, preferred_id=10),
    ExtensionCapability(uri=REPAIRED_RID, preferred_id=11),
)
FINGERPRINT = ("sha-256", ":".join(["AB"] * 32))
TRANSPORT = TransportParameters(ufrag="abcdefgh", pwd="p" * 24, fingerprints=(FINGERPRINT,))


def make_transceiver(key: int, kind: Any, direction: Any = "sendrecv", **more: Any) -> LocalTransceiver:
    given: dict[str, Any] = {
        "codecs": (OPUS,) if kind == "audio" else (VP8, H264, VP9, AV1),
        "extensions": AUDIO_EXTENSIONS if kind == "audio" else VIDEO_EXTENSIONS,
        "cname": "cname",
        "ssrc": 1000 + key,
        "rtx_ssrc": 2000 + key,
        "stream_ids": ("stream",),
        "track_id": f"track{key}",
        **more,
    }
    return LocalTransceiver(key=key, kind=kind, direction=direction, **given)


class Side:
    """Plays the peer layer: keeps the transceivers, gives them their mids."""

    def __init__(self, *transceivers: LocalTransceiver, data: bool = False, session_id: int = 1, **transport: Any):
        self.negotiation = start(session_id)
        self.transceivers = {one.key: one for one in transceivers}
        self.data = data
        self.transport = attrs.evolve(TRANSPORT, **transport)

    @property
    def local(self) -> LocalSession:
        return LocalSession(transport=self.transport, transceivers=tuple(self.transceivers.values()), data=self.data)

    def add(self, *transceivers: LocalTransceiver) -> None:
        self.transceivers.update((one.key, one) for one in transceivers)

    def change(self, key: int, **changes: Any) -> None:
        self.transceivers[key] = attrs.evolve(self.transceivers[key], **changes)

    def offer(self) -> str:
        made = create_offer(self.negotiation, self.local)
        self.negotiation = apply_local(self.negotiation, made)
        for section in made.sections:
            if section.transceiver is not None:
                self.change(section.transceiver, mid=section.mid)
        return made.text

    def receive_offer(self, text: str, direction: Any = "sendrecv", **more: Any) -> None:
        self.negotiation = apply_remote(self.negotiation, "offer", text, self.local)
        for section in self.negotiation.remote_sections:
            if section.rejected or section.kind == "application":
                continue
            if section.transceiver is None:
                key = max(self.transceivers, default=0) + 1
                self.add(make_transceiver(key, section.kind, direction, mid=section.mid, **more))
            else:
                self.change(section.transceiver, mid=section.mid)

    def answer(self, *, provisional: bool = False) -> str:
        made = create_answer(self.negotiation, self.local, provisional=provisional)
        self.negotiation = apply_local(self.negotiation, made)
        return made.text

    def receive_answer(self, text: str, kind: Any = "answer") -> None:
        self.negotiation = apply_remote(self.negotiation, kind, text, self.local)

    def offer_to(self, other: Side) -> tuple[str, str]:
        offer = self.offer()
        other.receive_offer(offer)
        answer = other.answer()
        self.receive_answer(answer)
        return offer, answer


@pytest.fixture
def kit() -> SimpleNamespace:
    """Everything above, because test directories are no packages."""
    return SimpleNamespace(**{name: value for name, value in globals().items() if not name.startswith("_")})


@pytest.fixture
def vector() -> Any:
    """Read one real description by its file name without ``.sdp``."""
    return lambda name: (VECTORS / f"{name}.sdp").read_bytes().decode()
