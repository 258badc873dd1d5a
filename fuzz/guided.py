"""The process that atheris guides: ``python -m fuzz.guided TARGET COUNTS [libFuzzer options] CORPUS...``.

Started by :func:`fuzz.search.guided`. Every module of the stack is instrumented as it is imported.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import atheris


def main() -> None:
    name, counts_path = sys.argv[1:3]
    with atheris.instrument_imports(include=["pystack", "sfu"], enable_loader_override=False):
        from fuzz.targets import find  # noqa: PLC0415 - instrumented from here on

        target = find(name)
    counts: Counter[str] = Counter()
    path = Path(counts_path)
    findings = path.parent / "findings"
    told = 0.0

    def one(data: bytes) -> None:
        nonlocal told
        counts[target.group(data)] += 1
        if (now := time.monotonic()) - told > 1:
            told = now
            path.write_text(json.dumps(counts))
        try:
            target.run(data)
        except BaseException:
            (findings / "finding").write_bytes(data)  # libFuzzer does not always get to it
            raise

    atheris.Setup([sys.argv[0], *sys.argv[3:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
