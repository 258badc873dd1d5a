"""What a negotiation of many sections costs: twice the sections, twice the work. Work is counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from pystack.sdp.jsep import (
    CodecCapability,
    ExtensionCapability,
    LocalSession,
    LocalTransceiver,
    Negotiation,
    TransportParameters,
    apply_local,
    apply_remote,
    create_answer,
    create_offer,
    needs_negotiation,
    remote,
    rollback,
    start,
    with_candidates,
)

VP8 = CodecCapability(name="VP8", clock_rate=90000, rtx=True, payload_type=96, rtx_payload_type=97)
MID = ExtensionCapability(uri="urn:ietf:params:rtp-hdrext:sdes:mid", preferred_id=4)
TRANSPORT = TransportParameters(ufrag="ufrag", pwd="p" * 24, fingerprints=(("sha-256", ":".join(["AB"] * 32)),))


class Mid(str):
    """A mid that counts how often it is compared: what ``in`` does in a list is no call that a profiler sees."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Mid.compared += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        return str.__hash__(self)


def work(step: Callable[[], Any]) -> int:
    """Calls, of Python and of C, and comparisons of mids, that ``step`` makes."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    Mid.compared = 0
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        step()
    finally:
        sys.setprofile(before)
    return calls + Mid.compared


def session(count: int, *, placed: bool, from_track: bool = False) -> LocalSession:
    return LocalSession(
        transport=TRANSPORT,
        transceivers=tuple(
            LocalTransceiver(
                key=number,
                kind="video",
                mid=str(number) if placed else None,
                codecs=(VP8,),
                extensions=(MID,),
                from_track=from_track,
                track_id=f"t{number}",
            )
            for number in range(count)
        ),
    )


def exchange(count: int, shape: str) -> Callable[[], None]:
    """A whole life of ``count`` sections: offer, answer, the question whether it is enough, again, and a rollback."""

    def edit(text: str) -> str:
        if shape == "no mids":
            text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("a=mid"))
        if shape == "a bundle of strangers":
            mids = " ".join(f"x{number}" for number in range(count))
            text = text.replace("a=group:BUNDLE ", f"a=group:BUNDLE {mids} ")
        if shape == "all rejected but one":
            head, first, *rest = text.split("m=video ")
            text = "m=video ".join([head, first, *(section.replace("9 ", "0 ", 1) for section in rest)])
        return text

    def step() -> None:
        ours, theirs = start(1), start(2)
        for placed in (False, True):
            local = session(count, placed=placed)
            offer = create_offer(ours, local)
            ours = apply_local(ours, offer)
            text = edit(offer.text)
            waiting = session(count, placed=placed, from_track=True)
            theirs = apply_remote(theirs, "offer", text, waiting)
            answer = create_answer(theirs, waiting)
            theirs = apply_local(theirs, answer)
            plain = shape == "plain"
            ours = apply_remote(ours, "answer", answer.text, local) if plain else rollback(ours)
            needs_negotiation(theirs, waiting)
            with_candidates(text, ["candidate:1 1 udp 1 10.0.0.1 1 typ host"])
            if not plain:
                return
        _undo(ours, session(count + 1, placed=False))

    return step


def _undo(negotiation: Negotiation, local: LocalSession) -> None:
    rollback(apply_local(negotiation, create_offer(negotiation, local)))


@pytest.mark.parametrize("shape", ["plain", "no mids", "a bundle of strangers", "all rejected but one"])
def test_four_times_the_sections_are_four_times_the_work(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parse_mid = remote.parse_mid
    monkeypatch.setattr(remote, "parse_mid", lambda value: Mid(parse_mid(value)))
    work(exchange(4, shape))  # what is made once
    few, many = work(exchange(40, shape)), work(exchange(160, shape))
    print(f"\n{shape}: {few} and {many} calls and comparisons, {many / few:.2f} times")
    assert many < 4.3 * few


def test_work_that_grows_faster_would_be_noticed() -> None:
    def quadratic(count: int) -> Callable[[], None]:
        mids = [Mid(number) for number in range(count)]
        return lambda: [mid in [str(mid) for mid in mids] for mid in mids] and None  # type: ignore[func-returns-value]

    assert work(quadratic(160)) > 8 * work(quadratic(40))
