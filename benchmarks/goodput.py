"""Goodput of one association over round-trip time and loss, in simulated time: ``python -m benchmarks goodput``.

Nothing here depends on the machine but the last column: the same seed gives the same table everywhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import time
from collections.abc import Iterator
from math import log10
from pathlib import Path
from typing import Any

import attrs

from pystack.base import SeededRandomness
from pystack.sctp import Association, AssociationOptions, Established, MessageReceived, Writable
from pystack.testing.link import LinkOptions
from pystack.testing.pair import Pair

__all__ = ["Transfer", "main", "table", "transfer"]

RTTS = (0.0, 0.02, 0.05, 0.1)
LOSSES = (0.0, 0.01)
RATE = 100e6
QUEUE = 512 * 1024
MESSAGE = 16384


@attrs.frozen
class Transfer:
    """What one transfer took.

    Attributes:
        nbytes: user data carried, and found equal at the other end.
        simulated: seconds of the simulated clock from the first send to the last delivery.
        wall: seconds of this machine.
        buffered: the most bytes that waited for departure at a time.
        flight: the most bytes that were under way at a time, and held for it at the sender.
        growth: bytes by which the process grew after its first tenth.
    """

    nbytes: int
    simulated: float
    wall: float
    buffered: int
    flight: int
    growth: int

    @property
    def mbit(self) -> float:
        """Goodput in Mbit/s of simulated time."""
        return self.nbytes * 8 / self.simulated / 1e6


def _messages(nbytes: int) -> Iterator[bytes]:
    block = bytes(range(256)) * (MESSAGE // 256)
    for start in range(0, nbytes, MESSAGE):
        yield start.to_bytes(8, "big") + block[8 : min(MESSAGE, nbytes - start)]


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def transfer(nbytes: int, rtt: float, loss: float, *, budget: int = 64 * 1024, seed: int = 1) -> Transfer:
    """Carry ``nbytes`` through a send budget of ``budget`` bytes over a lossy path of 100 Mbit/s; check every byte.

    Args:
        nbytes: user data.
        rtt: seconds there and back.
        loss: probability, each way.
        budget: of the association and of the stream, in bytes; the application writes when it is told that it may.
        seed: of the losses.
    """
    options = AssociationOptions(send_buffer=budget, stream_send_buffer=budget)
    pair = Pair(
        Association(options, SeededRandomness(f"{seed} a")),
        Association(options, SeededRandomness(f"{seed} b")),
        LinkOptions(delay=rtt / 2, loss=loss, rate_bps=RATE, queue=QUEUE, overhead=65),  # IPv4, UDP, DTLS
        seed=seed,
    )
    pair.a.core.connect(pair.now)
    pair.run(lambda: pair.a.saw(Established) and pair.b.saw(Established))
    sent, received = hashlib.sha256(), hashlib.sha256()
    source = _messages(nbytes)
    waiting: list[bytes] = []
    arrived = most_buffered = most_flight = resident = 0

    def write() -> None:
        nonlocal most_buffered, most_flight
        while message := waiting.pop() if waiting else next(source, b""):
            if not pair.a.core.send(0, message, pair.now, ppid=53):
                waiting.append(message)
                break
            sent.update(message)
        stats = pair.a.core.stats()
        most_buffered = max(most_buffered, stats.buffered)
        most_flight = max(most_flight, stats.flight)

    def on_sender(event: Any) -> None:
        pair.a.events.clear()
        if isinstance(event, Writable):
            write()

    def on_receiver(event: Any) -> None:
        nonlocal arrived, resident
        pair.b.events.clear()
        if isinstance(event, MessageReceived):
            received.update(event.data)
            arrived += len(event.data)
            pair.b.core.consume(event.stream, len(event.data), pair.now)
            if not resident and arrived >= nbytes // 10:
                resident = _resident()

    pair.a.on_event, pair.b.on_event = on_sender, on_receiver
    began, wall = pair.now, time.perf_counter()
    write()
    pair.run(lambda: arrived >= nbytes, limit=1e6)
    assert sent.digest() == received.digest(), "other bytes arrived than were sent"
    return Transfer(
        nbytes,
        pair.now - began,
        time.perf_counter() - wall,
        most_buffered,
        most_flight,
        _resident() - resident,
    )


def table(results: dict[tuple[float, float], Transfer]) -> str:
    """The results as a Markdown table."""
    losses = sorted({loss for _, loss in results})
    lines = [
        "| RTT | " + " | ".join(f"{loss:.0%} loss" for loss in losses) + " |",
        "|---" * (len(losses) + 1) + "|",
    ]
    for rtt in sorted({rtt for rtt, _ in results}):
        cells = [f"{results[rtt, loss].mbit:.1f} Mbit/s" for loss in losses]
        lines.append(f"| {rtt * 1000:.0f} ms | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(results: dict[tuple[float, float], Transfer]) -> str:
    """The results as an SVG line chart, goodput on a logarithmic scale."""
    left, top, width, height = 70, 46, 520, 260
    rtts, losses = sorted({rtt for rtt, _ in results}), sorted({loss for _, loss in results})
    decades = (0.1, 1.0, 10.0, 100.0)

    def x(rtt: float) -> float:
        return left + width * rtt / max(rtts)

    def y(mbit: float) -> float:
        return top + height * (1 - log10(max(mbit, decades[0]) / decades[0]) / log10(decades[-1] / decades[0]))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 110} {top + height + 60}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="16" y="26" font-size="15" font-weight="600" fill="#1c2733">'
        "Goodput of one association, Mbit/s over a path of 100 Mbit/s (simulated)</text>",
    ]
    for decade in decades:
        parts.append(f'<path d="M{left} {y(decade):.1f}h{width}" stroke="#d7dde3"/>')
        parts.append(f'<text x="{left - 8}" y="{y(decade) + 4:.1f}" text-anchor="end" fill="#5b6875">{decade:g}</text>')
    for rtt in rtts:
        parts.append(
            f'<text x="{x(rtt):.1f}" y="{top + height + 22}" text-anchor="middle" fill="#5b6875">'
            f"{rtt * 1000:.0f} ms</text>"
        )
    for loss, colour in zip(losses, ("#2f7d5b", "#b4553a", "#3b6ea8", "#8a6d1f"), strict=False):
        points = [(x(rtt), y(results[rtt, loss].mbit)) for rtt in rtts]
        path = " ".join(f"{'L' if number else 'M'}{px:.1f} {py:.1f}" for number, (px, py) in enumerate(points))
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="{colour}"/>' for px, py in points]
        label = f"{loss:.0%} loss"
        parts.append(f'<text x="{left + width + 10}" y="{points[-1][1] + 4:.1f}" fill="{colour}">{label}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 46}" text-anchor="middle" fill="#1c2733">RTT</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main(arguments: list[str]) -> None:
    """Measure every cell, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks goodput", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object and nothing else")
    parser.add_argument("--plot", metavar="FILE.svg", type=Path, help="draw the result")
    parser.add_argument("--megabytes", type=float, default=10.0, help="user data in each cell")
    given = parser.parse_args(arguments)
    results = {(rtt, loss): transfer(int(given.megabytes * 1e6), rtt, loss) for rtt in RTTS for loss in LOSSES}
    if given.plot:
        given.plot.write_text(plot(results))
    if given.json:
        cells = [
            {"rtt": rtt, "loss": loss, "mbit": cell.mbit, **attrs.asdict(cell)} for (rtt, loss), cell in results.items()
        ]
        print(json.dumps({"benchmark": "goodput", "cells": cells}))
        return
    print(table(results))
    wall = sum(cell.wall for cell in results.values())
    total = sum(cell.nbytes for cell in results.values())
    print(f"\n{total / 1e6:.0f} MB in {wall:.1f} s of this machine, every byte compared")
