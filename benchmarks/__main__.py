"""The command line: ``python -m benchmarks NAME ... [--json] [--plot FILE.svg] [--rounds N] [--case NAME ...]``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks.plot import draw
from benchmarks.rounds import Benchmark, measure, report

NAMES = ("datachannel", "dtls", "forward", "memory", "rtp", "sctp", "setup", "srtp")


def main() -> None:
    if sys.argv[1:2] == ["goodput"]:  # in simulated time, and against nobody
        importlib.import_module("benchmarks.goodput").main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the stack against its peers.")
    parser.add_argument("names", nargs="+", choices=NAMES, metavar="NAME", help=f"one or more of {', '.join(NAMES)}")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object and nothing else: the result, or results by their names",
    )
    parser.add_argument("--plot", metavar="FILE.svg", type=Path, help="draw the result, of one benchmark")
    parser.add_argument("--rounds", type=int, metavar="N", help="interleaved rounds (7 unless said)")
    parser.add_argument("--case", action="append", default=[], metavar="NAME", help="only this case; may be repeated")
    parser.add_argument("--sample", nargs=2, metavar=("CASE", "SIDE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    benchmarks: list[Benchmark] = [
        importlib.import_module(f"benchmarks.{name}").BENCHMARK for name in dict.fromkeys(given.names)
    ]
    cases = {case.name: case for benchmark in benchmarks for case in benchmark.cases}
    if given.sample:
        name, side = given.sample
        print(json.dumps({"value": cases[name].ours() if side == "ours" else cases[name].peer()}))
        return
    if unknown := set(given.case) - set(cases):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(cases)}")
    if given.plot and len(benchmarks) > 1:
        parser.error("--plot draws one benchmark; name one")

    def progress(line: str) -> None:
        if not given.json:
            print(line, file=sys.stderr, flush=True)

    results = {}
    for benchmark in benchmarks:
        chosen = [case.name for case in benchmark.cases if case.name in given.case]
        if given.case and not chosen:
            continue
        result = results[benchmark.name] = measure(benchmark, given.rounds or benchmark.rounds, chosen, progress)
        if given.plot:
            given.plot.write_text(draw(result, benchmark.title))
        if not given.json:
            print(report(result), end="\n\n" if len(benchmarks) > 1 else "\n", flush=True)
    if given.json:
        print(json.dumps(results if len(benchmarks) > 1 else results[benchmarks[0].name]))


if __name__ == "__main__":
    main()
