"""Interleaved rounds and what they say: medians, a ratio, and how far to trust it.

On a shared machine absolute figures drift by half and more between one minute and the next, and ours and the peer's
drift together. So each round measures both, in turn, each in a process of its own, and the ratio is what counts.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import attrs

__all__ = ["Benchmark", "Case", "measure", "report"]

SAMPLE_TIMEOUT = 300.0


@attrs.frozen(kw_only=True)
class Case:
    """One thing to measure on both sides.

    Attributes:
        name: as in ``docs/explanation/benchmarks.md``.
        unit: of both figures.
        ours: measures us once, in a fresh process; returns the figure.
        peer: likewise the peer.
        peer_name: the peer, as people write it.
        peer_package: its distribution, whose version is told.
        kind: ``"cost"`` when less is better, ``"rate"`` when more is.
        target: the ratio that we promise, ``None`` when it is only printed.
    """

    name: str
    unit: str
    ours: Callable[[], float]
    peer: Callable[[], float]
    peer_name: str
    peer_package: str
    kind: Literal["cost", "rate"] = "cost"
    target: float | None = None


@attrs.frozen(kw_only=True)
class Benchmark:
    """A command's cases and the packages whose versions belong beside its figures."""

    name: str
    title: str
    cases: Sequence[Case]
    packages: Sequence[str] = ("cryptography", "crc32c", "aioice")
    rounds: int = 7


def measure(benchmark: Benchmark, rounds: int, only: Sequence[str], progress: Callable[[str], None]) -> dict[str, Any]:
    """Run the cases and return what ``--json`` prints."""
    results = []
    for case in benchmark.cases:
        if only and case.name not in only:
            continue
        ours: list[float] = []
        peer: list[float] = []
        for number in range(rounds):
            # Who goes first alternates, so that neither always runs on a machine warmed up by the other.
            for side in ("ours", "peer") if number % 2 == 0 else ("peer", "ours"):
                value = _sample(benchmark.name, case.name, side)
                (ours if side == "ours" else peer).append(value)
                progress(f"{benchmark.name} {case.name} round {number + 1}/{rounds} {side}: {value:.4g} {case.unit}")
        results.append(_summary(case, ours, peer))
    return {
        "benchmark": benchmark.name,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "versions": {name: _version(name) for name in ("pystack-rtc", *benchmark.packages)},
        "cases": results,
    }


def _sample(benchmark: str, case: str, side: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", benchmark, "--sample", case, side],
        check=False,
        capture_output=True,
        text=True,
        timeout=SAMPLE_TIMEOUT,
    )
    if done.returncode:
        raise SystemExit(f"{benchmark} {case} {side} failed:\n{done.stderr}")
    return float(json.loads(done.stdout.splitlines()[-1])["value"])


def _summary(case: Case, ours: list[float], peer: list[float]) -> dict[str, Any]:
    ratios = [
        (theirs / mine if case.kind == "cost" else mine / theirs) for mine, theirs in zip(ours, peer, strict=True)
    ]
    mine, theirs = statistics.median(ours), statistics.median(peer)
    ratio = theirs / mine if case.kind == "cost" else mine / theirs
    summary: dict[str, Any] = {
        "case": case.name,
        "unit": case.unit,
        "ours": round(mine, 4),
        "peer": round(theirs, 4),
        "peer_name": f"{case.peer_name} {_version(case.peer_package)}",
        "ratio": round(ratio, 2),
        "spread": round(_spread(ratios), 3),
        "rounds": len(ours),
    }
    if case.target is not None:
        summary["target"] = case.target
    return summary


def _spread(values: Sequence[float]) -> float:
    """The interquartile range over the median of the rounds' ratios."""
    if len(values) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        if package == "pystack-rtc":  # run from a checkout
            import pystack  # noqa: PLC0415

            return str(getattr(pystack, "__version__", "checkout"))
        return "absent"


def report(result: dict[str, Any]) -> str:
    """The table that is printed without ``--json``."""
    rows = [("case", "unit", "ours", "peer", "", "ratio", "spread", "rounds", "target")]
    rows += [
        (
            case["case"],
            case["unit"],
            f"{case['ours']:.4g}",
            f"{case['peer']:.4g}",
            case["peer_name"],
            f"{case['ratio']:.2f}x",
            f"{case['spread']:.0%}",
            str(case["rounds"]),
            f"{case['target']:g}x" if "target" in case else "-",
        )
        for case in result["cases"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return "\n".join([*lines, "", f"{result['python']}, {result['system']}; {versions}"])
