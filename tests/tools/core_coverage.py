"""``--cover-cores``: the branch coverage of the cores from unit, law and simulation tests, with a gate.

Coverage is measured while those tests run (they are sorted to the front) and not after, so that end-to-end tests
neither count nor are slowed down. Under xdist each process measures what it runs of them, and the one that started the
others adds up. The gate is at :data:`GATE` per package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORES = (
    *(f"pystack/{name}" for name in ("base", "sctp", "datachannel", "dtls", "srtp", "rtp", "ice", "sdp", "session")),
    *(f"sfu/{name}" for name in ("rooms", "tracks", "media", "data", "signal")),
)
COUNTED = ("tests/unit/", "tests/laws/", "tests/sim/")
GATE = 90.0
KEY = pytest.StashKey["CoreCoverage"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cover-cores", action="store_true", help=f"measure the cores' branch coverage; gate {GATE:g} %%")


def is_counted(item: pytest.Item) -> bool:
    return item.nodeid.startswith(COUNTED)


class CoreCoverage:
    """Measures from configuration until the first test that does not count.

    Args:
        measures: whether tests run in this process; one that has others for it adds up what they leave.
        worker: the name of this process under xdist.
    """

    def __init__(self, measures: bool, worker: str = "") -> None:
        import coverage

        self.coverage = coverage.Coverage(
            data_file=str(ROOT / ".coverage"),
            data_suffix=worker or None,
            branch=True,
            source=[str(ROOT / "pystack"), str(ROOT / "sfu")],
        )
        self._adds_up = not measures
        self.running = measures
        if measures:
            self.coverage.start()
        else:
            for left in ROOT.glob(".coverage.*"):
                left.unlink()

    def stop(self) -> None:
        if self.running:
            self.running = False
            self.coverage.stop()
            self.coverage.save()

    def finish(self) -> None:
        """All tests have run, here and in other processes."""
        self.stop()
        if self._adds_up:
            self.coverage.combine()
            self.coverage.save()

    def by_package(self) -> dict[str, tuple[int, int, int, int]]:
        """``(covered branches, branches, covered lines, lines)`` of each core package that has code."""
        import json
        import tempfile

        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            self.coverage.json_report(outfile=file.name)
            report = json.loads(Path(file.name).read_text())
        found: dict[str, list[int]] = {}
        for name, data in report["files"].items():
            package = next((core for core in CORES if f"{core}/" in Path(name).as_posix()), None)
            if package is not None:
                summary: dict[str, Any] = data["summary"]
                sums = found.setdefault(package, [0, 0, 0, 0])
                for at, key in enumerate(("covered_branches", "num_branches", "covered_lines", "num_statements")):
                    sums[at] += summary[key]
        return {name: (sums[0], sums[1], sums[2], sums[3]) for name, sums in found.items() if sums[3]}


def share(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cover-cores"):
        worker = getattr(config, "workerinput", {}).get("workerid", "")
        shared_out = not worker and bool(getattr(config.option, "numprocesses", None))
        config.stash[KEY] = CoreCoverage(measures=not shared_out, worker=worker)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if KEY in config.stash:
        items.sort(key=lambda item: not is_counted(item))  # stable


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if KEY in item.config.stash and not is_counted(item):
        item.config.stash[KEY].stop()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if KEY in session.config.stash:
        cover = session.config.stash[KEY]
        cover.finish()
        if hasattr(session.config, "workerinput"):
            return
        below = [name for name, counts in cover.by_package().items() if share(*counts[:2]) < GATE]
        if below and exitstatus == 0:
            session.exitstatus = 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if KEY not in config.stash:
        return
    terminalreporter.section("branch coverage of the cores (unit, laws, sim)")
    for name, (branches, of_branches, lines, of_lines) in sorted(config.stash[KEY].by_package().items()):
        reached = share(branches, of_branches)
        verdict = "" if reached >= GATE else f"   below {GATE:g} %"
        of_all = f"{share(lines, of_lines):6.1f} % of {of_lines:6} lines"
        terminalreporter.write_line(f"{name:24} {reached:6.1f} % of {of_branches:5} branches, {of_all}{verdict}")
