"""``python -m fuzz TARGET --seconds N [--seed S]``, ``--replay FILE``, ``--list``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from fuzz.cover import distil, measure
from fuzz.minimise import minimise
from fuzz.outcome import attempt
from fuzz.search import CORPUS, FOUND, Result, guided, has_atheris, inputs_of, plain, save
from fuzz.target import Target
from fuzz.targets import NAMES, find


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz what reads a peer's bytes.")
    parser.add_argument("target", nargs="?", choices=NAMES, help="what to fuzz")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--seconds", type=int, default=60, help="how long to look (60)")
    parser.add_argument("--seed", type=int, default=1, help="of the search (1)")
    parser.add_argument("--plain", action="store_true", help="mutations alone, although atheris is installed")
    parser.add_argument("--work", type=Path, help="keep the inputs that were found here, and go on from them")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input and tell what happens")
    parser.add_argument("--distil", action="store_true", help="add what --work has found to the committed corpus")
    chosen = parser.parse_args()
    if chosen.list:
        print("\n".join(NAMES))
        return 0
    if chosen.target is None:
        parser.error("name a target, or --list")
    target = find(chosen.target)
    if chosen.replay is not None:
        return replay(target, chosen.replay)
    if chosen.distil and chosen.work is None:
        parser.error("--distil needs --work")
    if chosen.distil:
        return keep(target, chosen.work / target.name)
    if chosen.work is not None:
        return search(target, chosen.work / target.name, chosen)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        return search(target, Path(folder), chosen)


def replay(target: Target, path: Path) -> int:
    finding = attempt(target, path.read_bytes())
    print(finding.text if finding is not None else f"{path}: all is well")
    return int(finding is not None)


def keep(target: Target, work: Path) -> int:
    """Write the inputs that add coverage into ``fuzz/corpus/TARGET.hex``, over what is there."""
    path = CORPUS / f"{target.name}.hex"
    before = inputs_of(target)
    path.unlink(missing_ok=True)
    small = distil(target, inputs_of(target), {*before, *inputs_of(target, work / "corpus")})
    if small:
        path.write_text("".join(f"{each.hex()}\n" for each in small))
    print(f"{target.name}: {len(small)} inputs, {sum(map(len, small))} bytes")
    return 0


def search(target: Target, work: Path, chosen: argparse.Namespace) -> int:
    look = plain if chosen.plain or not has_atheris() else guided
    result = look(target, work, chosen.seconds, chosen.seed)
    if result.finding is not None:
        return tell_finding(target, result.finding)
    if not result.counts:
        print(result.log, file=sys.stderr)
        return 2
    tell_figures(target, result, inputs_of(target, work / "corpus"), look.__name__)
    return 0


def tell_finding(target: Target, data: bytes) -> int:
    finding = attempt(target, data)
    if finding is None:
        path = save(FOUND / target.name, data)
        print(f"a finding that does not repeat in a process of its own: {path}")
        return 1
    small = minimise(data, lambda each: finding.like(attempt(target, each)))
    path = save(FOUND / target.name, small)
    again = attempt(target, small) or finding
    print(again.text)
    print(f"{len(data)} bytes minimised to {len(small)}. Replay it:")
    print(f"  python -m fuzz {target.name} --replay {path}")
    return 1


def tell_figures(target: Target, result: Result, inputs: list[bytes], how: str) -> None:
    total = sum(result.counts.values())
    rate = total / max(result.seconds, 0.001)
    print(f"{target.name}: {total} inputs in {result.seconds:.0f} s ({rate:.0f}/s, {how}), no finding")
    groups, possible = measure(target, inputs)
    every = set().union(*(each.lines for each in groups.values()))
    print(f"  {'state':20} {'runs':>9} {'kept':>6} {'lines':>6} {'by input':>8}")
    for name in sorted(groups):
        found = groups[name]
        print(f"  {name:20} {result.counts[name]:9} {found.inputs:6} {len(found.lines):6} {len(found.own):8}")
    print(f"  all: {len(every)} of {possible} lines of {', '.join(target.packages)}")


if __name__ == "__main__":
    raise SystemExit(main())
