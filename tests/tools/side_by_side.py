"""What runs beside what under ``pytest -n 3``: three kinds of tests, each in a process of its own.

Tests with real sockets, browsers and SDKs spend most of their time waiting, and must not disturb each other, so they
stay in one process, one after the other. Tests without I/O and mutants use the processor, and mind nothing: they give
way to the others. Without xdist nothing of this takes place, and all tests run in a row.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

PURE = ("tests/unit/", "tests/laws/", "tests/sim/", "tests/architecture/", "tests/docs/")
MUTANTS = ("tests/mutations/",)


def group(nodeid: str) -> str:
    """The name of the tests that ``nodeid`` runs in a row with."""
    if nodeid.startswith(PURE):
        return "pure"
    return "mutants" if nodeid.startswith(MUTANTS) else "real"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process one kind; marks of ``--dist loadgroup`` would do, but not with every version of pytest."""
    from xdist.scheduler import LoadScopeScheduling

    class ByKind(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return ByKind(config, log)


_GAVE_WAY = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    config = item.config
    if hasattr(config, "workerinput") and _GAVE_WAY not in config.stash and item.nodeid.startswith(PURE):
        config.stash[_GAVE_WAY] = True
        os.nice(10)
