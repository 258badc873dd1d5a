"""What all tests share: components, coverage, the long profile, and hypothesis' profiles."""

from __future__ import annotations

import os

import hypothesis
import pytest

pytest_plugins = ["tests.tools.components", "tests.tools.core_coverage", "tests.tools.side_by_side"]

# The same examples every time, so that a run tells about the change and not about luck; `search` is for looking.
hypothesis.settings.register_profile("repeat", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=1000, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long profile too, with other random examples")


def pytest_configure(config: pytest.Config) -> None:
    chosen = "search" if config.getoption("--long") else "repeat"
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", chosen))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long") is not None:
                item.add_marker(pytest.mark.skip(reason="the long profile: pytest --long"))
