"""The framing of ICE-TCP: however a stream is cut, the same datagrams come out, and no more than one frame is kept."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.target import Program, Target, check
from pystack.ice import Deframer, frame
from pystack.ice.framing import MAX_FRAME


def run(data: bytes) -> None:
    program = Program(data)
    steps = [1 + cut for cut in program.take(8)] or [1]
    stream = program.rest()
    whole, parts = Deframer(), Deframer()
    expected = whole.feed(stream)
    got: list[bytes] = []
    at = count = 0
    while at < len(stream):
        size = steps[count % len(steps)]
        got += parts.feed(stream[at : at + size])
        check(parts.held <= MAX_FRAME + 1, "more than one unfinished frame is kept")
        at += size
        count += 1
    check(got == expected, "what comes out depends on where a stream is cut")
    check((parts.empty, parts.held) == (whole.empty, whole.held), "what is kept depends on where a stream is cut")
    check(all(got), "an empty datagram")
    check(sum(map(len, got)) + 2 * (len(got) + parts.empty) + parts.held == len(stream), "bytes came or went")
    if got:
        again = Deframer()
        check(again.feed(frame(got)) == got and not again.held, "written again it reads otherwise")


def _seeds() -> Iterator[bytes]:
    cuts = bytes(range(8))
    yield cuts + frame([b"one", b"two" * 100, b"\x80"])
    yield bytes(8) + frame([b"short", b"x" * 32]) + b"\0\0\0\5part"
    yield cuts + b"\xff\xff" + bytes(40)


TARGETS = {"framing": Target(name="framing", run=run, seeds=_seeds, packages=("pystack.ice",))}
