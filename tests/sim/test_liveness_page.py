"""What ``docs/explanation/liveness.md`` says is what the tests see."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.sim.test_liveness_crossing import crossing_table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/liveness.md"


def test_the_crossing_table_is_the_tests() -> None:
    assert crossing_table() in PAGE.read_text(), f"the page's table is out of date; it is now:\n{crossing_table()}"


def test_the_bounds_are_written_down() -> None:
    for number in ("363 s", "282 s", "720 s", "935 s", "25 s"):
        assert number in PAGE.read_text()


def test_every_rule_that_is_broken_on_purpose_is_listed() -> None:
    mutations = tomllib.loads((ROOT / "tests/mutations/mutations.toml").read_text())["mutation"]
    ours = {mutation["id"] for mutation in mutations if mutation["id"].startswith("liveness-")}
    assert {re.search(r"-l(\d+)-", name)[1] for name in ours} >= {"1", "2", "3", "4", "5", "6", "7", "10", "11"}  # type: ignore[index]
    listed = set(re.findall(r"`(liveness-l\d+-[a-z-]+)`", PAGE.read_text()))
    assert listed == ours
