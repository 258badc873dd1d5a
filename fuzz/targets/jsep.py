"""A remote's offers and answers through the whole negotiation: refused as a whole, or answered soundly.

Input: a byte that says how we begin, then descriptions with a zero byte between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fuzz.recorded import recorded_descriptions
from fuzz.search import packed
from fuzz.target import Target, check
from pystack.errors import LocalError
from pystack.peer.media import AUDIO_CODECS, AUDIO_EXTENSIONS, VIDEO_CODECS, VIDEO_EXTENSIONS
from pystack.sdp import parse
from pystack.sdp.jsep import (
    LocalSession,
    LocalTransceiver,
    Negotiation,
    SignalingState,
    TransportParameters,
    apply_local,
    apply_remote,
    create_answer,
    create_offer,
    needs_negotiation,
    rollback,
    start,
)

_TRANSPORT: Final = TransportParameters(
    ufrag="ufrag", pwd="p" * 24, fingerprints=(("sha-256", ":".join(["AB"] * 32)),), setup="active"
)


def _session(how: int) -> LocalSession:
    transceivers = []
    for key, kind in ((1, "audio"), (2, "video")):
        if how & key:
            transceivers.append(
                LocalTransceiver(
                    key=key,
                    kind="audio" if kind == "audio" else "video",
                    direction="sendrecv",
                    from_track=bool(how & 4),
                    stream_ids=("stream",),
                    track_id=f"track{key}",
                    codecs=AUDIO_CODECS if kind == "audio" else VIDEO_CODECS,
                    extensions=AUDIO_EXTENSIONS if kind == "audio" else VIDEO_EXTENSIONS,
                    cname="cname",
                    ssrc=key * 2,
                    rtx_ssrc=key * 2 + 1,
                )
            )
    return LocalSession(transport=_TRANSPORT, transceivers=tuple(transceivers), data=bool(how & 8))


def run(data: bytes) -> None:
    how = data[0] if data else 0
    local = _session(how)
    negotiation = start(1)
    for text in data[1:].split(b"\0")[:4]:
        negotiation = _round(negotiation, local, text.decode("utf-8", "surrogateescape"), how)


def _round(negotiation: Negotiation, local: LocalSession, text: str, how: int) -> Negotiation:
    if how & 16 and (local.transceivers or local.data):
        offer = create_offer(negotiation, local)
        parse(offer.text)
        offered = apply_local(negotiation, offer)
        try:
            answered = apply_remote(offered, "answer", text, local)
        except LocalError:
            return rollback(offered)
        check(answered.state is SignalingState.STABLE, "answered and yet not stable")
        needs_negotiation(answered, local)
        return answered
    before = negotiation
    try:
        taken = apply_remote(negotiation, "offer", text, local)
    except LocalError:
        check(negotiation is before and negotiation == before, "changed by what was refused")
        return negotiation
    if how & 32:
        return rollback(taken)
    answer = create_answer(taken, local)
    parsed = parse(answer.text)
    check(len(parsed.media) == len(parse(text).media), "an answer with other sections than the offer")
    done = apply_local(taken, answer)
    check(done.state is SignalingState.STABLE, "answered and yet not stable")
    needs_negotiation(done, local)
    return done


def _seeds() -> Iterator[bytes]:
    texts = recorded_descriptions()
    texts += packed("sdp")
    for text in texts:
        yield b"\x0f" + text
        yield b"\x1f" + text
    yield b"\0" + texts[0] + b"\0" + texts[1]
    for how in (1, 2, 11, 15):  # an answer to our own offer
        local = _session(how)
        offer = create_offer(start(1), local)
        taken = apply_remote(start(2), "offer", offer.text, local)
        yield bytes([how | 16]) + create_answer(taken, local).text.encode()
        yield bytes([how]) + offer.text.encode() + b"\0" + offer.text.encode()


TARGETS = {"jsep": Target(name="jsep", run=run, seeds=_seeds, packages=("pystack.sdp",), max_size=16384)}
