"""Runs the mutants beside the other tests, as many at once as there are processors.

A mutant is a process of its own that measures no time, so it does not mind to get only what the others leave over; they
begin as soon as the tests are collected, because many tests wait for browsers and for time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest

ROOT = Path(__file__).parents[2]
Outcome: TypeAlias = "subprocess.CompletedProcess[str]"

_YIELDING = ("nice", "-n", "19") if shutil.which("nice") else ()
"""Whatever else runs goes first."""


def run(mutation: dict[str, Any], unbroken: Path, workplace: Path) -> Outcome:
    """Break a copy of ``unbroken`` and run the tests that must notice; ``ValueError`` if the entry is out of date."""
    shutil.copytree(unbroken, workplace, copy_function=os.link)
    victim = workplace / mutation["file"]
    source = victim.read_text()
    if source.count(mutation["old"]) != 1:
        raise ValueError("the entry is out of date: its old text is not there exactly once")
    victim.unlink()  # the other copies share it
    victim.write_text(source.replace(mutation["old"], mutation["new"]))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    return subprocess.run(
        [
            *_YIELDING,
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            *mutation["tests"],
        ],
        cwd=workplace,
        env={
            **environment,
            "PYTHONPATH": str(workplace),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(workplace / "hypothesis"),
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


class Mutants:
    """What became of each mutation. Those that are begun share one unbroken copy of the sources."""

    def __init__(self, processors: int) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="mutations-"))
        self._pool = ThreadPoolExecutor(processors)
        self._copied: Future[Path] = self._pool.submit(self._copy)
        self._outcomes: dict[str, Future[Outcome]] = {}

    def begin(self, mutation: dict[str, Any]) -> Future[Outcome]:
        """Run a mutation as soon as there is a processor for it."""
        name = mutation["id"]
        if name not in self._outcomes:
            self._outcomes[name] = self._pool.submit(self._run, mutation)
        return self._outcomes[name]

    def close(self) -> None:
        """Nobody asks any more."""
        self._pool.shutdown(cancel_futures=True)
        shutil.rmtree(self._place, ignore_errors=True)

    def _run(self, mutation: dict[str, Any]) -> Outcome:
        workplace = self._place / mutation["id"]
        try:
            return run(mutation, self._copied.result(), workplace)
        finally:
            shutil.rmtree(workplace, ignore_errors=True)

    def _copy(self) -> Path:
        """Copy the sources and compile them once; a mutant's own file is compiled again, because its hash differs."""
        copy = self._place / "unbroken"
        ignored = shutil.ignore_patterns("__pycache__", "node_modules", "e2e")
        for folder in ("pystack", "sfu", "tests"):
            shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", copy)
        compiling = [*_YIELDING, sys.executable, "-m", "compileall", "-qq", "--invalidation-mode", "checked-hash", copy]
        subprocess.run(compiling, check=False)
        return copy


_MUTANTS = pytest.StashKey[Mutants]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin all that were selected, in the order of their tests.

    Under xdist the workers are what runs side by side, and each runs what it is asked for.
    """
    chosen = [item.callspec.params["mutation"] for item in session.items if _is_of_a_mutation(item)]
    if not chosen or session.config.option.collectonly:
        return
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    session.config.stash[_MUTANTS] = mutants = Mutants(os.cpu_count() or 1 if alone else 1)
    for mutation in chosen if alone else ():
        mutants.begin(mutation)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no process and no file behind, however the session ended."""
    if _MUTANTS in config.stash:
        config.stash[_MUTANTS].close()


@pytest.fixture
def outcome_of(pytestconfig: pytest.Config) -> Callable[[dict[str, Any]], Outcome]:
    """What became of a mutation."""
    mutants = pytestconfig.stash[_MUTANTS]
    return lambda mutation: mutants.begin(mutation).result()


def _is_of_a_mutation(item: pytest.Item) -> bool:
    return "mutation" in getattr(getattr(item, "callspec", None), "params", ())
