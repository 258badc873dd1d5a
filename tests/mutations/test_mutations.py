"""Proof that the tests can fail: the product is broken on purpose, in a copy, and the named test must notice.

The catalogues beside this file (``*.toml``) list what is broken and who notices. Each entry is applied to a copy of the
sources (never to the checkout), the test is run there in a process of its own, and must fail; an entry whose ``old``
text is not there exactly once is out of date and fails, too. On the unbroken sources the same tests pass as part of the
suite.
"""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MUTATIONS: list[dict[str, Any]] = [
    mutation
    for catalogue in sorted(Path(__file__).parent.glob("*.toml"))
    for mutation in tomllib.loads(catalogue.read_text())["mutation"]
]


def test_there_are_enough_and_no_two_are_alike() -> None:
    assert len(MUTATIONS) >= 20
    assert len({mutation["id"] for mutation in MUTATIONS}) == len(MUTATIONS)


@pytest.mark.timeout(1000)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation["id"])
def test_a_mutation_is_caught(
    mutation: dict[str, Any], outcome_of: Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]
) -> None:
    result = outcome_of(mutation)
    # 1: tests ran and some failed. Anything else (a usage error, nothing collected) would prove nothing.
    assert result.returncode == 1, f"nobody noticed:\n{result.stdout[-3000:]}\n{result.stderr[-1000:]}"
    assert "error" not in result.stdout.splitlines()[-1], f"the mutant does not even import:\n{result.stdout[-3000:]}"
