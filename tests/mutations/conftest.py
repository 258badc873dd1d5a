"""Runs the mutants ahead of the tests that look at them, as many at once as there are processors.

A mutant is a process of its own that measures no time, so two of them do not disturb each other.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest

ROOT = Path(__file__).parents[2]
Outcome: TypeAlias = "subprocess.CompletedProcess[str]"


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
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *mutation["tests"]],
        cwd=workplace,
        env={
            **environment,
            "PYTHONPATH": str(workplace),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(workplace / "hypothesis"),
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, compiled once; a mutant's own file is compiled again, because its hash differs."""
    copy = tmp_path_factory.mktemp("mutations") / "unbroken"
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "e2e")
    for folder in ("pystack", "sfu", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    compileall.compile_dir(copy, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    return copy


@pytest.fixture(scope="session")
def outcome_of(request: pytest.FixtureRequest, unbroken: Path) -> Iterator[Callable[[dict[str, Any]], Outcome]]:
    """What became of a mutation. All that were selected are begun at once, in the order of their tests.

    Under xdist the workers are what runs side by side, and each runs what it is asked for.
    """
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    futures: dict[str, Future[Outcome]] = {}
    pool = ThreadPoolExecutor(os.cpu_count() if alone else 1)

    def begin(mutation: dict[str, Any]) -> None:
        name = mutation["id"]
        if name not in futures:
            futures[name] = pool.submit(run, mutation, unbroken, unbroken.parent / name)

    if alone:
        for item in request.session.items:
            chosen = getattr(item, "callspec", None)
            if chosen is not None and "mutation" in chosen.params:
                begin(chosen.params["mutation"])

    def look(mutation: dict[str, Any]) -> Outcome:
        begin(mutation)
        outcome = futures[mutation["id"]].result()
        shutil.rmtree(unbroken.parent / mutation["id"])
        return outcome

    try:
        yield look
    finally:
        pool.shutdown(cancel_futures=True)
