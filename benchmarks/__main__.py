"""The command line: ``python -m benchmarks NAME [--json] [--plot FILE.svg] [--rounds N] [--case NAME ...]``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks.plot import draw
from benchmarks.rounds import Benchmark, measure, report

NAMES = ("datachannel", "memory", "rtp", "sctp", "setup", "srtp")


def main() -> None:
    if sys.argv[1:2] == ["goodput"]:  # in simulated time, and against nobody
        importlib.import_module("benchmarks.goodput").main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the stack against its peers.")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object and nothing else")
    parser.add_argument("--plot", metavar="FILE.svg", type=Path, help="draw the result")
    parser.add_argument("--rounds", type=int, metavar="N", help="interleaved rounds (7 unless said)")
    parser.add_argument("--case", action="append", default=[], metavar="NAME", help="only this case; may be repeated")
    parser.add_argument("--sample", nargs=2, metavar=("CASE", "SIDE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    benchmark: Benchmark = importlib.import_module(f"benchmarks.{given.name}").BENCHMARK
    if given.sample:
        case = next(case for case in benchmark.cases if case.name == given.sample[0])
        print(json.dumps({"value": case.ours() if given.sample[1] == "ours" else case.peer()}))
        return
    unknown = set(given.case) - {case.name for case in benchmark.cases}
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(c.name for c in benchmark.cases)}")

    def progress(line: str) -> None:
        if not given.json:
            print(line, file=sys.stderr, flush=True)

    result = measure(benchmark, given.rounds or benchmark.rounds, given.case, progress)
    if given.plot:
        given.plot.write_text(draw(result, benchmark.title))
    print(json.dumps(result) if given.json else report(result))


if __name__ == "__main__":
    main()
