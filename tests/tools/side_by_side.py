"""What runs beside what under ``pytest -n 3 --dist loadgroup``: three kinds of tests, each in a process of its own.

Tests with real sockets, browsers and SDKs spend most of their time waiting, and must not disturb each other, so they
stay in one process, one after the other. Tests without I/O and mutants use the processor, and mind nothing: they give
way to the others. Without xdist nothing of this takes place, and all tests run in a row.
"""

from __future__ import annotations

import os

import pytest

PURE = ("tests/unit/", "tests/laws/", "tests/sim/", "tests/architecture/", "tests/docs/")
MUTANTS = ("tests/mutations/",)


def group(nodeid: str) -> str:
    """The name of the tests that ``nodeid`` runs in a row with."""
    if nodeid.startswith(PURE):
        return "pure"
    return "mutants" if nodeid.startswith(MUTANTS) else "real"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        for item in items:
            item.add_marker(pytest.mark.xdist_group(group(item.nodeid)))


_GAVE_WAY = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    config = item.config
    if hasattr(config, "workerinput") and _GAVE_WAY not in config.stash and item.nodeid.startswith(PURE):
        config.stash[_GAVE_WAY] = True
        os.nice(10)
