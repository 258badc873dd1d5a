"""The eight laws on whole sessions: DTLS, SRTP, RTP, SCTP and channels composed."""

from __future__ import annotations

from typing import Any, Literal

from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.dtls import Certificate, SeededProvider
from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpPacket
from pystack.rtp.extensions import MID, TRANSPORT_SEQUENCE
from pystack.session import LeakyBucket, Session, SessionOptions
from pystack.testing.laws import START, Command, CoreLaws, Scenario, Side

LIMIT = 1280
AS_IS = SessionOptions()
CERTIFICATES = {
    role: Certificate.generate(1.7e9, SeededProvider(SeededRandomness(role))) for role in ("client", "server")
}
VP8 = CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack", "nack pli"), rtx_payload_type=97)
EXTENSIONS = HeaderExtensionMap({4: MID, 3: TRANSPORT_SEQUENCE})


def make_session(role: Literal["client", "server"], seed: int, options: SessionOptions = AS_IS) -> Session:
    randomness = SeededRandomness(f"{role} {seed}")
    session = Session(CERTIFICATES[role], options, randomness, provider=SeededProvider(randomness))
    session.rtp.set_receiver(1, mid="0", kind="video", codecs=[VP8], extensions=EXTENSIONS)
    session.rtp.set_sender(
        1, mid="0", kind="video", ssrc=1000 + len(role), rtx_ssrc=2000, codecs=[VP8], extensions=EXTENSIONS
    )
    return session


def start(session: Session, role: Literal["client", "server"], now: float) -> None:
    other = "server" if role == "client" else "client"
    session.start(role, (("sha-256", CERTIFICATES[other].fingerprint()),), now)
    session.start_data(262144, now)


def send_media(session: Session, number: int, now: float) -> None:
    packet = RtpPacket(payload_type=96, sequence_number=number, timestamp=number * 3000, payload=bytes(900))
    session.send_rtp(1, packet, now)


COMMANDS = [
    Command("media", send_media, st.integers(0, 200)),
    Command("key frame", lambda core, _, now: core.rtp.request_key_frame(1, now)),
    Command("open", lambda core, label, now: core.channels.open(label, now), st.text(max_size=5)),
    Command("send", lambda core, data, now: core.channels.send(1, data, now), st.binary(max_size=3000)),
    Command("consume", lambda core, _, now: core.channels.consume(1, 2000, now)),
    Command("close channel", lambda core, _, now: core.channels.close(1, now)),
]


class TestSessionLaws(CoreLaws):
    examples = 10
    flood = 1000

    def make(self, seed: int) -> Scenario:
        sides = []
        for role in ("client", "server"):
            session = make_session(role, seed)
            session.channels.open("first", START)
            start(session, role, START)
            sides.append(Side(role, session, limit=LIMIT))
        return Scenario(
            sides=sides,
            commands=[*COMMANDS, Command("close", lambda core, _, now: core.close(now))],
            end=lambda core, now: core.abort(now),
            memory=2_000_000,
        )


class TestSessionLawsPaced(CoreLaws):
    """With a pacer that holds media back, so that its deadline is one of the session's."""

    examples = 8
    flood = 1000

    def make(self, seed: int) -> Scenario:
        paced = SessionOptions(pacer=lambda: LeakyBucket(20_000, 2_000, limit=64))
        sides = []
        for role in ("client", "server"):
            session = make_session(role, seed, paced)
            start(session, role, START)
            sides.append(Side(role, session, limit=LIMIT))
        return Scenario(
            sides=sides,
            commands=[COMMANDS[0], COMMANDS[1], Command("close", lambda core, _, now: core.close(now))],
            end=lambda core, now: core.abort(now),
            memory=2_000_000,
        )


class TestSessionLawsUnstarted(CoreLaws):
    """From the very beginning: datagrams come before anybody knows what to do with them."""

    examples = 8
    flood = 1000

    def make(self, seed: int) -> Scenario:
        def begin(core: Any, _: object, now: float) -> None:
            start(core, "client" if core is sides[0].core else "server", now)

        sides = [Side(role, make_session(role, seed), limit=LIMIT) for role in ("client", "server")]
        return Scenario(
            sides=sides,
            commands=[*COMMANDS, Command("start", begin)],
            end=lambda core, now: core.abort(now),
            memory=2_000_000,
        )
