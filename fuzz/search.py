"""Looking for findings: by atheris in a process of its own, or by a plain loop in this one.

Both keep inputs in ``work/corpus`` and count runs by group; both stop at the first finding.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from hashlib import sha1
from importlib.util import find_spec
from pathlib import Path

import attrs

from fuzz.mutate import mutate
from fuzz.outcome import LIMIT, attempt
from fuzz.target import Target

__all__ = ["CORPUS", "FOUND", "Result", "guided", "has_atheris", "inputs_of", "packed", "plain", "save"]

_HERE = Path(__file__).resolve().parent
CORPUS = _HERE / "corpus"
"""Committed inputs: a file a target, an input a line in hexadecimal, found by a search."""
FOUND = _HERE / "found"
"""Committed reproducers of bugs that are fixed, likewise."""
_KEEP = 2000


@attrs.frozen
class Result:
    """What a search came to.

    Attributes:
        counts: runs by group.
        finding: the input that led to a finding.
        seconds: how long it took.
        log: what the guide said last, for when it failed by itself.
    """

    counts: Counter[str]
    finding: bytes | None
    seconds: float
    log: str = ""


def has_atheris() -> bool:
    """Tell whether the guide is there."""
    return find_spec("atheris") is not None


def save(folder: Path, data: bytes) -> Path:
    """Keep an input under the name of its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / sha1(data, usedforsecurity=False).hexdigest()[:16]
    path.write_bytes(data)
    return path


def packed(name: str) -> list[bytes]:
    """The inputs in ``fuzz/corpus/NAME.hex``; none where there is no such file."""
    path = CORPUS / f"{name}.hex"
    return [bytes.fromhex(line) for line in path.read_text().splitlines()] if path.is_file() else []


def inputs_of(target: Target, *more: Path) -> list[bytes]:
    """The committed inputs of a target, its computed ones, and those of further directories; no two alike."""
    found = dict.fromkeys([*target.seeds(), *packed(target.name)])
    for folder in (FOUND / target.name, *more):
        if folder.is_dir():
            found.update(dict.fromkeys(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()))
    return list(found)


def guided(target: Target, work: Path, seconds: int, seed: int) -> Result:
    """Search with atheris, which instruments the stack and so has to come before its import: in another process."""
    seeds, corpus, findings = work / "seeds", work / "corpus", work / "findings"
    for folder in (seeds, corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for old in findings.iterdir():
        old.unlink()
    for data in inputs_of(target):
        save(seeds, data)
    counts = work / "counts.json"
    counts.unlink(missing_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-seed={seed or 1}",
        f"-max_len={target.max_size}",
        f"-timeout={LIMIT}",
        "-rss_limit_mb=2048",
        "-reload=0",
        f"-artifact_prefix={findings}/",
    ]
    began = time.monotonic()
    log = work / "log"
    with log.open("wb") as to:
        subprocess.run(
            [sys.executable, "-m", "fuzz.guided", target.name, str(counts), *options, str(corpus), str(seeds)],
            stdout=to,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=_HERE.parent,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    took = time.monotonic() - began
    found = sorted(path for path in findings.iterdir() if not path.name.startswith("slow-unit"))
    said = log.read_text(errors="replace")[-4000:]
    try:
        numbers = Counter(json.loads(counts.read_text()))
    except (OSError, ValueError):
        numbers = Counter()
    return Result(numbers, found[0].read_bytes() if found else None, took, said)


def plain(target: Target, work: Path, seconds: int, seed: int) -> Result:
    """Search by mutations alone; reaches less than the guide does, and needs nothing."""
    rng = random.Random(seed)
    pool = inputs_of(target) or [b""]
    counts: Counter[str] = Counter()
    began = time.monotonic()
    fresh = list(pool)
    while time.monotonic() - began < seconds:
        data = fresh.pop() if fresh else mutate(rng.choice(pool), pool, rng, target.max_size)
        counts[target.group(data)] += 1
        if attempt(target, data) is not None:
            return Result(counts, data, time.monotonic() - began)
        if rng.randrange(64) == 0:  # a walk away from the seeds, bounded
            save(work / "corpus", data)
            if len(pool) < _KEEP:
                pool.append(data)
            else:
                pool[rng.randrange(len(pool))] = data
    return Result(counts, None, time.monotonic() - began)
